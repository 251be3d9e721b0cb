//! Built cores on disk: found by content, published whole, shared by processes.
//!
//! A core is found in two steps. Its *request* (manifest, sources, tools, flags) leads to the list of every
//! file that Verilator read last time, includes among them; the contents of those lead to the library.
//!
//! | folder | holds |
//! | --- | --- |
//! | `cores` | finished cores |
//! | `requests` | for each request, the files that its core was made from |
//! | `runtime` | Verilator's runtime, compiled, for each set of tools and flags |
//! | `work` | builds under way, each locked by its process: the unlocked ones are of dead processes |
//! | `locks` | one lock for each request; empty files |

mod prune;
mod work;

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use prune::Bounds;
pub(crate) use work::WorkFolder;

/// How long a build waits for another process that builds the same.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The lock of those who find entries, shared, and of those who remove some.
const ENTRIES: &str = "entries";

/// A folder of built cores.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    longest_wait: Duration,
    bounds: Bounds,
}

/// The cache cannot be used.
#[derive(Debug, Error, miette::Diagnostic)]
pub enum CacheError {
    /// A file operation failed.
    #[error(
        "{}: expected to {action}, got {error}; make it accessible, or set REBOUND_CACHE to a folder that can be \
         written",
        path.display()
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
    /// Another process holds the lock for too long.
    #[error(
        "{}: expected the other build of this core to end within {} s, got one that still holds the lock; wait \
         for it, or end it, and try again",
        path.display(),
        waited.as_secs()
    )]
    LockTimeout {
        /// Lock file.
        path: PathBuf,
        /// How long this one waited.
        waited: Duration,
    },
    /// No place for a cache.
    #[error(
        "no folder for built cores: expected REBOUND_CACHE, XDG_CACHE_HOME or HOME to be set, got none; set \
         REBOUND_CACHE to a folder that can be written"
    )]
    NoFolder,
    /// A bound is no number.
    #[error(
        "{variable}={got}: expected a whole number from 1 to {most}; leave it unset for {usual}"
    )]
    BadBound {
        /// Variable.
        variable: &'static str,
        /// What was given.
        got: String,
        /// Largest value allowed.
        most: u64,
        /// Value when it is unset.
        usual: u64,
    },
}

impl CacheError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io {
            action,
            path: path.to_owned(),
            error: plain(error),
        }
    }
}

/// The system's own words: `tempfile` adds the name of a temporary file, which means nothing to a user.
fn plain(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    match text.split_once(" at path \"") {
        Some((words, _)) => std::io::Error::new(error.kind(), words),
        None => error,
    }
}

/// Contents of a file that decided about a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Dependencies {
    files: Vec<PathBuf>,
}

/// Hash over named parts; each part is framed, so no two lists of parts meet.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyHasher(Sha256);

impl KeyHasher {
    /// Adds a part.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> &mut Self {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds a file's path and contents.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<&mut Self, CacheError> {
        let content = fs::read(path).map_err(CacheError::io("read", path))?;
        Ok(self.add(&path.to_string_lossy(), &content))
    }

    /// The hash in hexadecimal, 128 bits of it.
    pub(crate) fn finish(&self) -> String {
        self.0
            .clone()
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// A lock on one key, released when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Cache {
    /// The cache that the environment names: `$REBOUND_CACHE`, else `.cache/rebound` in the project around
    /// the working folder (the nearest one with `.git` or `.venv`), else the user's cache folder. Its bounds
    /// are [`Bounds::from_environment`].
    ///
    /// # Errors
    /// If the environment names no folder, or a bound that is no number.
    pub fn discover() -> Result<Self, CacheError> {
        let variable = |name: &str| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let project = || {
            let here = env::current_dir().ok()?;
            here.ancestors()
                .find(|folder| folder.join(".git").exists() || folder.join(".venv").is_dir())
                .map(|folder| folder.join(".cache/rebound"))
        };
        let folder = variable("REBOUND_CACHE")
            .or_else(project)
            .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("rebound")))
            .or_else(|| Some(variable("HOME")?.join(".cache/rebound")))
            .ok_or(CacheError::NoFolder)?;
        Ok(Self::at(folder).with_bounds(Bounds::from_environment()?))
    }

    /// A cache in `folder`, which is made when needed.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            longest_wait: LONGEST_WAIT,
            bounds: Bounds::default(),
        }
    }

    /// The same cache, kept within other bounds.
    #[must_use]
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// The same cache, waiting no longer than `wait` for another build.
    #[must_use]
    pub fn with_longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A folder below the cache, made if absent.
    pub(crate) fn sub_folder(&self, name: &str) -> Result<PathBuf, CacheError> {
        let path = self.folder.join(name);
        fs::create_dir_all(&path).map_err(CacheError::io("make the folder", &path))?;
        path.canonicalize()
            .map_err(CacheError::io("find the folder", &path))
    }

    /// Waits for the lock `name`; `on_wait` is called once if another process has it.
    pub(crate) fn lock(&self, name: &str, on_wait: impl FnOnce()) -> Result<Lock, CacheError> {
        self.lock_by(name, File::try_lock, on_wait)
    }

    /// Waits for the lock `name`, which others may share.
    fn lock_shared(&self, name: &str) -> Result<Lock, CacheError> {
        self.lock_by(name, File::try_lock_shared, || {})
    }

    fn lock_by(
        &self,
        name: &str,
        try_lock: fn(&File) -> Result<(), TryLockError>,
        on_wait: impl FnOnce(),
    ) -> Result<Lock, CacheError> {
        let path = self.sub_folder("locks")?.join(format!("{name}.lock"));
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(CacheError::io("open the lock", &path))?;
        let start = Instant::now();
        let mut on_wait = Some(on_wait);
        loop {
            match try_lock(&file) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(error)) => {
                    return Err(CacheError::io("lock", &path)(error));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if let Some(on_wait) = on_wait.take() {
                on_wait();
            }
            if start.elapsed() >= self.longest_wait {
                return Err(CacheError::LockTimeout {
                    path,
                    waited: self.longest_wait,
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A folder below the cache that is kept while it is in use, made if absent.
    pub(crate) fn used_folder(&self, name: &str) -> Result<PathBuf, CacheError> {
        let _entries = self.lock_shared(ENTRIES)?;
        let path = self.sub_folder(name)?;
        note_use(&path);
        Ok(path)
    }

    fn dependency_list(&self, request: &str) -> PathBuf {
        self.folder.join("requests").join(format!("{request}.json"))
    }

    /// The files that an answer to a request was made from; none if there was no such request.
    pub(crate) fn files_of(&self, request: &str) -> Vec<PathBuf> {
        let list = fs::read(self.dependency_list(request)).ok();
        let dependencies = list.and_then(|list| serde_json::from_slice::<Dependencies>(&list).ok());
        dependencies.map_or_else(Vec::new, |dependencies| dependencies.files)
    }

    /// The entry for a request, if every file it was built from still has the same contents. It is noted as
    /// used, so that nobody removes it while it is being loaded.
    pub(crate) fn find<T: DeserializeOwned>(
        &self,
        core: &str,
        request: &str,
    ) -> Option<(PathBuf, T)> {
        let list = fs::read(self.dependency_list(request)).ok()?;
        // A cache that cannot be written can still be read; nobody removes entries from that.
        let _entries = self.lock_shared(ENTRIES).ok();
        let dependencies: Dependencies = serde_json::from_slice(&list).ok()?;
        let key = content_key(request, &dependencies.files).ok()?;
        let entry = self.entry(core, &key);
        let description = fs::read(entry.join("core.json")).ok()?;
        note_use(&entry);
        note_use(&self.dependency_list(request));
        Some((entry, serde_json::from_slice(&description).ok()?))
    }

    fn entry(&self, core: &str, key: &str) -> PathBuf {
        self.folder.join("cores").join(format!("{core}-{key}"))
    }

    /// Moves a finished folder into place and notes the files it was made from.
    pub(crate) fn publish<T: Serialize>(
        &self,
        core: &str,
        request: &str,
        finished: WorkFolder,
        files: Vec<PathBuf>,
        description: &T,
    ) -> Result<PathBuf, CacheError> {
        let key = content_key(request, &files)?;
        let path = finished.path().join("core.json");
        fs::write(&path, to_json(description)).map_err(CacheError::io("write", &path))?;
        self.sub_folder("cores")?;
        let entry = self.entry(core, &key);
        if entry.exists() {
            // What is there could not be read, or this build would not have been made.
            fs::remove_dir_all(&entry).map_err(CacheError::io("remove", &entry))?;
        }
        finished
            .move_to(&entry)
            .map_err(CacheError::io("move the finished core to", &entry))?;
        let requests = self.sub_folder("requests")?;
        write_whole(
            &requests,
            &self.dependency_list(request),
            &to_json(&Dependencies { files }),
        )?;
        entry.canonicalize().map_err(CacheError::io("find", &entry))
    }
}

/// Makes now the time of last use. Best effort: an entry of another user keeps its time.
fn note_use(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("descriptions hold text, numbers and lists only")
}

/// Writes a file so that others see all of it or nothing.
pub(crate) fn write_whole(folder: &Path, path: &Path, content: &[u8]) -> Result<(), CacheError> {
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .map_err(CacheError::io("make a file in", folder))?;
    file.write_all(content)
        .map_err(CacheError::io("write", path))?;
    file.persist(path)
        .map_err(|error| CacheError::io("write", path)(error.error))?;
    Ok(())
}

/// Hash of a file's content, to notice damage.
pub(crate) fn hash_of(path: &Path) -> Result<String, CacheError> {
    let content = fs::read(path).map_err(CacheError::io("read", path))?;
    let mut hasher = KeyHasher::default();
    hasher.add("content", &content);
    Ok(hasher.finish())
}

fn content_key(request: &str, files: &[PathBuf]) -> Result<String, CacheError> {
    let mut hasher = KeyHasher::default();
    hasher.add("request", request.as_bytes());
    for file in files {
        hasher.add_file(file)?;
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let cache =
            Cache::at(folder.path().join("cache")).with_longest_wait(Duration::from_millis(50));
        (folder, cache)
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        let key = |a: &str, b: &str| KeyHasher::default().add(a, b.as_bytes()).finish();
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_eq!(key("a", "b"), key("a", "b"));
    }

    #[test]
    fn an_entry_is_found_until_a_file_it_was_made_from_changes() {
        let (folder, cache) = cache();
        let include = folder.path().join("a.svh");
        fs::write(&include, "one").expect("write");
        let publish = || {
            let work = cache.work_folder().expect("work folder");
            cache
                .publish("core", "r", work, vec![include.clone()], &"description")
                .expect("published")
        };
        let entry = publish();
        assert_eq!(
            cache.find::<String>("core", "r"),
            Some((entry.clone(), "description".to_owned()))
        );
        assert_eq!(cache.find::<String>("core", "other"), None);

        fs::write(&include, "two").expect("write");
        assert_eq!(cache.find::<String>("core", "r"), None);
        assert_ne!(publish(), entry);
    }

    #[test]
    fn a_damaged_entry_is_replaced() {
        let (_folder, cache) = cache();
        let publish = || {
            let work = cache.work_folder().expect("work folder");
            cache
                .publish("core", "r", work, Vec::new(), &7_u32)
                .expect("published")
        };
        let entry = publish();
        fs::write(entry.join("core.json"), "{").expect("write");
        assert_eq!(cache.find::<u32>("core", "r"), None);
        assert_eq!(publish(), entry);
        assert_eq!(cache.find::<u32>("core", "r"), Some((entry, 7)));
    }

    #[test]
    fn a_lock_that_is_held_is_waited_for_and_then_given_up() {
        let (_folder, cache) = cache();
        let held = cache.lock("k", || {}).expect("free");
        let mut waited = false;
        let error = cache
            .lock("k", || waited = true)
            .expect_err("held")
            .to_string();
        assert!(
            waited && error.contains("k.lock: expected the other build"),
            "{error}"
        );
        drop(held);
        cache.lock("k", || {}).expect("free again");
    }

    #[test]
    fn a_cache_that_cannot_be_written_says_where() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("write");
        let error = Cache::at(&file)
            .work_folder()
            .expect_err("a file is in the way")
            .to_string();
        assert!(
            error.contains("expected to make the folder") && error.contains("set REBOUND_CACHE to"),
            "{error}"
        );
    }

    #[test]
    fn a_failure_names_no_temporary_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let absent = folder.path().join("absent");
        let error = write_whole(&absent, &absent.join("a.json"), b"")
            .expect_err("no such folder")
            .to_string();
        assert!(
            error.contains("absent: expected to make a file in") && !error.contains("at path"),
            "{error}"
        );
    }
}
