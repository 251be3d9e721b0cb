//! Folders of builds under way, and what killed builds have left.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Cache, CacheError};

/// The lock of those who make work folders or remove abandoned ones.
const WORK: &str = "work";
/// Age at which a work folder is taken to be abandoned where the file system has no locks.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A folder for work in progress, removed when dropped. It is locked as long as this process lives, which
/// tells everyone that somebody works there.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    folder: tempfile::TempDir,
    _lock: File,
}

impl WorkFolder {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the folder, with all that is in it, to where it stays.
    pub(super) fn move_to(self, place: &Path) -> std::io::Result<()> {
        fs::rename(self.folder.path(), place)?;
        // Nothing is left to be removed. The lock goes last.
        let _: PathBuf = self.folder.keep();
        Ok(())
    }
}

impl Cache {
    /// A folder for work in progress, on the cache's file system so that it can be moved into place.
    pub(crate) fn work_folder(&self) -> Result<WorkFolder, CacheError> {
        let parent = self.sub_folder("work")?;
        // Nobody takes a new folder for an abandoned one before it is locked.
        let _work = self.lock(WORK, || {})?;
        remove_abandoned(&parent);
        let make = CacheError::io("make a folder in", &parent);
        let folder = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(&parent)
            .map_err(make)?;
        let lock = File::open(folder.path()).map_err(CacheError::io("open", folder.path()))?;
        // Without locks on this file system, age alone tells.
        let _ = lock.try_lock();
        Ok(WorkFolder {
            folder,
            _lock: lock,
        })
    }
}

/// Removes what dead processes have left. Best effort: a build needs none of it.
fn remove_abandoned(work: &Path) {
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_abandoned(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    let Ok(file) = File::open(folder) else {
        return false;
    };
    match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => file
            .metadata()
            .and_then(|found| found.modified())
            .is_ok_and(|time| is_older(time, ABANDONED_AFTER)),
    }
}

/// Whether `time` is longer ago than `age`.
pub(super) fn is_older(time: SystemTime, age: Duration) -> bool {
    time.elapsed().is_ok_and(|passed| passed > age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_removed_when_nobody_works_there_and_only_then() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let cache = Cache::at(folder.path());
        let worked_in = cache.work_folder().expect("work folder");
        let left = folder.path().join("work/build-left");
        fs::create_dir(&left).expect("made");
        fs::write(left.join("half.o"), "half").expect("written");
        let other = cache.work_folder().expect("work folder");
        assert!(!left.exists());
        assert!(worked_in.path().is_dir() && other.path().is_dir());
        let path = worked_in.path().to_owned();
        drop(worked_in);
        assert!(!path.exists());
    }
}
