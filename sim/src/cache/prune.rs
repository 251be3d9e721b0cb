//! Bounds of the cache: what was not used for long goes, the oldest first.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::work::is_older;
use super::{Cache, CacheError, ENTRIES};

/// The variable that bounds the size, in GiB.
const SIZE_VARIABLE: &str = "REBOUND_CACHE_GIB";
/// The variable that bounds the time without use, in days.
const AGE_VARIABLE: &str = "REBOUND_CACHE_DAYS";
const USUAL_GIB: u64 = 4;
const USUAL_DAYS: u64 = 30;
const MOST_GIB: u64 = 1 << 20;
const MOST_DAYS: u64 = 36_500;
/// What was used within this time stays, whatever the bounds: somebody may be about to load it.
const IN_USE: Duration = Duration::from_secs(3600);

/// What a cache may hold. What exceeds it is removed after a build: first the entries that were not used for
/// `age`, then the least recently used ones, until the rest is within `bytes`. Entries used within the last hour
/// always stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all finished cores and runtimes.
    pub bytes: u64,
    /// Longest time without use.
    pub age: Duration,
}

impl Default for Bounds {
    /// 4 GiB and 30 days.
    fn default() -> Self {
        Self::of(USUAL_GIB, USUAL_DAYS)
    }
}

impl Bounds {
    fn of(gib: u64, days: u64) -> Self {
        Self {
            bytes: gib << 30,
            age: Duration::from_secs(days * 24 * 3600),
        }
    }

    /// What the environment says: `$REBOUND_CACHE_GIB` and `$REBOUND_CACHE_DAYS`, else the default.
    ///
    /// # Errors
    /// If one of them is no whole number, or 0.
    pub fn from_environment() -> Result<Self, CacheError> {
        Ok(Self::of(
            number(
                SIZE_VARIABLE,
                env::var_os(SIZE_VARIABLE),
                MOST_GIB,
                USUAL_GIB,
            )?,
            number(
                AGE_VARIABLE,
                env::var_os(AGE_VARIABLE),
                MOST_DAYS,
                USUAL_DAYS,
            )?,
        ))
    }
}

fn number(
    variable: &'static str,
    value: Option<std::ffi::OsString>,
    most: u64,
    usual: u64,
) -> Result<u64, CacheError> {
    let Some(text) = value.filter(|value| !value.is_empty()) else {
        return Ok(usual);
    };
    text.to_str()
        .and_then(|text| text.trim().parse().ok())
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| CacheError::BadBound {
            variable,
            got: text.to_string_lossy().into_owned(),
            most,
            usual,
        })
}

/// A finished core or a runtime.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

impl Cache {
    /// Removes what exceeds the bounds. Best effort: what cannot be removed now is removed another time.
    pub(crate) fn prune(&self) {
        self.forget_requests();
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.used);
        let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        for entry in &entries {
            let is_excess = bytes > self.bounds.bytes || is_older(entry.used, self.bounds.age);
            if is_excess && self.remove(entry) {
                bytes -= entry.bytes;
            }
        }
    }

    /// Removes the lists of files whose cores have gone unused too long to be there.
    fn forget_requests(&self) {
        for (path, used) in listed(&self.folder.join("requests")) {
            if is_older(used, self.bounds.age.max(IN_USE)) {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn entries(&self) -> Vec<Entry> {
        ["cores", "runtime"]
            .iter()
            .flat_map(|name| listed(&self.folder.join(name)))
            .map(|(path, used)| Entry {
                bytes: size_of(&path),
                path,
                used,
            })
            .collect()
    }

    /// Takes an entry out of the cache unless somebody uses it, and removes it.
    fn remove(&self, entry: &Entry) -> bool {
        let Ok(work) = self.work_folder() else {
            return false;
        };
        let out = work.path().join("entry");
        {
            // Who finds an entry notes its use under the shared lock: either it is seen here, or the entry is
            // not found there.
            let Ok(_entries) = self.lock(ENTRIES, || {}) else {
                return false;
            };
            let used = fs::metadata(&entry.path).and_then(|found| found.modified());
            if !used.is_ok_and(|used| is_older(used, IN_USE)) {
                return false;
            }
            if fs::rename(&entry.path, &out).is_err() {
                return false;
            }
        }
        // The rest goes with the work folder, out of everyone's way.
        true
    }
}

/// What is in a folder, with the times of last use.
fn listed(folder: &Path) -> impl Iterator<Item = (PathBuf, SystemTime)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let used = entry.metadata().and_then(|found| found.modified()).ok()?;
        Some((entry.path(), used))
    })
}

/// Bytes of the files in an entry; entries hold no folders.
fn size_of(entry: &Path) -> u64 {
    fs::read_dir(entry)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| file.metadata().ok())
        .map(|found| found.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A cache of 1000 bytes and 10 hours.
    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let bounds = Bounds {
            bytes: 1000,
            age: 10 * HOUR,
        };
        let cache = Cache::at(folder.path()).with_bounds(bounds);
        (folder, cache)
    }

    /// An entry of 400 bytes that was used some hours ago.
    fn entry(cache: &Cache, name: &str, hours: u32) -> PathBuf {
        let path = cache.folder().join(name);
        fs::create_dir_all(&path).expect("made");
        fs::write(path.join("core.so"), [0; 400]).expect("written");
        let used = SystemTime::now() - hours * HOUR;
        File::open(&path)
            .and_then(|folder| folder.set_modified(used))
            .expect("ours");
        path
    }

    #[test]
    fn the_least_recently_used_goes_until_the_rest_is_within_the_bound() {
        let (_folder, cache) = cache();
        let entries = [
            entry(&cache, "cores/a", 2),
            entry(&cache, "cores/b", 5),
            entry(&cache, "runtime/c", 4),
            entry(&cache, "cores/d", 3),
        ];
        cache.prune();
        assert_eq!(
            entries.each_ref().map(|path| path.exists()),
            [true, false, false, true]
        );
    }

    #[test]
    fn what_is_not_used_for_long_goes_though_there_is_room() {
        let (_folder, cache) = cache();
        let old = entry(&cache, "cores/old", 11);
        let new = entry(&cache, "cores/new", 9);
        let request = cache.folder().join("requests/r.json");
        fs::create_dir_all(cache.folder().join("requests")).expect("made");
        fs::write(&request, "{}").expect("written");
        cache.prune();
        assert!(!old.exists() && new.exists() && request.exists());
        File::open(&request)
            .and_then(|file| file.set_modified(SystemTime::now() - 11 * HOUR))
            .expect("ours");
        cache.prune();
        assert!(!request.exists());
    }

    #[test]
    fn what_was_just_used_stays_whatever_the_bounds() {
        let (_folder, cache) = cache();
        let entries = ["cores/a", "cores/b", "cores/c"].map(|name| entry(&cache, name, 0));
        cache.prune();
        assert!(entries.iter().all(|path| path.exists()));
    }

    #[test]
    fn finding_an_entry_is_using_it() {
        let (_folder, cache) = cache();
        let work = cache.work_folder().expect("work folder");
        let path = cache
            .publish("core", "r", work, Vec::new(), &7_u32)
            .expect("published");
        let long_ago = SystemTime::now() - 20 * HOUR;
        File::open(&path)
            .and_then(|folder| folder.set_modified(long_ago))
            .expect("ours");
        cache.find::<u32>("core", "r").expect("there");
        cache.prune();
        assert!(path.exists());
    }

    #[test]
    fn a_bound_that_is_no_number_is_refused() {
        let bound = |text: &str| number(SIZE_VARIABLE, Some(text.into()), 100, 4);
        assert_eq!(bound("7").expect("a number"), 7);
        assert_eq!(bound("").expect("unset"), 4);
        for text in ["0", "-1", "101", "1.5", "much"] {
            assert_eq!(
                bound(text).expect_err("no bound").to_string(),
                format!(
                    "REBOUND_CACHE_GIB={text}: expected a whole number from 1 to 100; leave it unset for 4"
                )
            );
        }
    }
}
