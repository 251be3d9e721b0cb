//! File lists as Verilog tools read them (`-f`).
//!
//! Understood: paths, `+incdir+A+B`, `+define+NAME=VALUE`, `-I DIR`, `-y DIR`, `-f LIST`, `//` and `#`
//! comments. Paths are relative to the list.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ManifestError, ManifestSource, SourceSet};

/// Lists nested deeper than this include themselves.
const DEEPEST: usize = 16;

/// Adds what the list at `path` names to `set`.
pub(super) fn read(path: &Path, set: &mut SourceSet) -> Result<(), ManifestError> {
    read_nested(path, set, 0)
}

fn read_nested(path: &Path, set: &mut SourceSet, depth: usize) -> Result<(), ManifestError> {
    let text = super::read_text(path)
        .map_err(|error| ManifestError::unreadable(path, "file list", &error))?;
    let list = List {
        source: Arc::new(ManifestSource {
            path: path.to_owned(),
            text,
        }),
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut words = list.words();
    while let Some((offset, word)) = words.next() {
        if let Some(folders) = word.strip_prefix("+incdir+") {
            for each in folders.split('+').filter(|each| !each.is_empty()) {
                set.include_dirs
                    .push(list.folder(offset, folder.join(each))?);
            }
        } else if let Some(defines) = word.strip_prefix("+define+") {
            for define in defines.split('+').filter(|each| !each.is_empty()) {
                let (name, value) = define.split_once('=').unwrap_or((define, ""));
                set.defines.push((name.to_owned(), value.to_owned()));
            }
        } else if let "-y" | "-I" | "-f" | "-F" = word {
            let Some((offset, operand)) = words.next() else {
                return Err(list.error(offset, "a path after it", &format!("`{word}` at the end")));
            };
            let operand = folder.join(operand);
            match word {
                "-y" => set.library_dirs.push(list.folder(offset, operand)?),
                "-I" => set.include_dirs.push(list.folder(offset, operand)?),
                _ if depth == DEEPEST => {
                    return Err(list.error(
                        offset,
                        "lists that end",
                        "a list that includes itself",
                    ));
                }
                _ => read_nested(&list.file(offset, operand)?, set, depth + 1)?,
            }
        } else if let Some(operand) = word.strip_prefix("-I") {
            set.include_dirs
                .push(list.folder(offset, folder.join(operand))?);
        } else if word.starts_with(['-', '+']) {
            return Err(list.error(
                offset,
                "a path, +incdir+, +define+, -I, -y or -f",
                &format!("`{word}`"),
            ));
        } else {
            set.files.push(list.file(offset, folder.join(word))?);
        }
    }
    Ok(())
}

struct List {
    source: Arc<ManifestSource>,
}

impl List {
    /// Words outside comments, each with its place in the text.
    fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        let text = self.source.text.as_str();
        text.lines().flat_map(move |line| {
            let end = [line.find("//"), line.find('#')]
                .into_iter()
                .flatten()
                .min();
            let line = &line[..end.unwrap_or(line.len())];
            let start = line.as_ptr() as usize - text.as_ptr() as usize;
            line.split_whitespace().map(move |word| {
                (
                    start + word.as_ptr() as usize - line.as_ptr() as usize,
                    word,
                )
            })
        })
    }

    fn file(&self, offset: usize, path: PathBuf) -> Result<PathBuf, ManifestError> {
        if path.is_file() {
            return Ok(path);
        }
        Err(self.error(
            offset,
            "a source file",
            &format!("no file at {}", path.display()),
        ))
    }

    fn folder(&self, offset: usize, path: PathBuf) -> Result<PathBuf, ManifestError> {
        if path.is_dir() {
            return Ok(path);
        }
        Err(self.error(
            offset,
            "a folder",
            &format!("no folder at {}", path.display()),
        ))
    }

    fn error(&self, offset: usize, expected: &str, got: &str) -> ManifestError {
        ManifestError::in_list(&self.source, offset, expected, got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_folders_defines_and_a_nested_list_is_read() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("write");
        std::fs::create_dir(folder.path().join("inc")).expect("folder");
        write("a.sv", "");
        write("b.sv", "");
        write("inner.f", "b.sv # the second\n");
        write(
            "outer.f",
            "// all of it\n+incdir+inc +define+FAST=1+PLAIN\na.sv -f inner.f\n-y inc\n",
        );
        let mut set = SourceSet::default();
        read(&folder.path().join("outer.f"), &mut set).expect("readable list");
        let at = |name: &str| folder.path().join(name);
        assert_eq!(set.files, [at("a.sv"), at("b.sv")]);
        assert_eq!(set.include_dirs, [at("inc")]);
        assert_eq!(set.library_dirs, [at("inc")]);
        assert_eq!(
            set.defines,
            [("FAST".into(), "1".into()), ("PLAIN".into(), String::new())]
        );
    }

    #[test]
    fn an_error_in_a_list_names_its_line() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("x.f");
        std::fs::write(&path, "\n+define+A\n  gone.sv\n").expect("write");
        let error = read(&path, &mut SourceSet::default()).expect_err("gone.sv does not exist");
        assert_eq!(error.line(), Some(3));
        assert!(
            error
                .to_string()
                .contains("expected a source file, got no file at"),
            "{error}"
        );
    }

    #[test]
    fn a_list_that_includes_itself_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("x.f");
        std::fs::write(&path, "-f x.f\n").expect("write");
        let error = read(&path, &mut SourceSet::default()).expect_err("endless");
        assert_eq!(error.got(), "a list that includes itself");
    }
}
