//! The files, folders and definitions that make up a core.

use std::path::{Path, PathBuf};

use super::{Manifest, ManifestError, file_list};

/// What Verilator is given, with file lists read in; paths are as seen from the working folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSet {
    /// Verilog and SystemVerilog files, in order.
    pub files: Vec<PathBuf>,
    /// Folders searched by `` `include ``.
    pub include_dirs: Vec<PathBuf>,
    /// Folders searched for modules.
    pub library_dirs: Vec<PathBuf>,
    /// Definitions, name and value.
    pub defines: Vec<(String, String)>,
}

impl SourceSet {
    pub(super) fn of(manifest: &Manifest) -> Result<Self, ManifestError> {
        let mut set = Self::default();
        for (index, list) in manifest.file_lists.iter().enumerate() {
            let path = manifest.folder().join(list);
            must_exist(
                manifest,
                format!("file_lists[{index}]"),
                &path,
                Path::is_file,
                "a file list",
            )?;
            file_list::read(&path, &mut set)?;
        }
        for (index, file) in manifest.sources.iter().enumerate() {
            let path = manifest.folder().join(file);
            must_exist(
                manifest,
                format!("sources[{index}]"),
                &path,
                Path::is_file,
                "a source file",
            )?;
            set.files.push(path);
        }
        if let Some(file) = &manifest.wrapper {
            let path = manifest.folder().join(file);
            must_exist(
                manifest,
                "wrapper".to_owned(),
                &path,
                Path::is_file,
                "a source file",
            )?;
            set.files.push(path);
        }
        for (field, folders, into) in [
            (
                "include_dirs",
                &manifest.include_dirs,
                &mut set.include_dirs,
            ),
            (
                "library_dirs",
                &manifest.library_dirs,
                &mut set.library_dirs,
            ),
        ] {
            for (index, folder) in folders.iter().enumerate() {
                let path = manifest.folder().join(folder);
                must_exist(
                    manifest,
                    format!("{field}[{index}]"),
                    &path,
                    Path::is_dir,
                    "a folder",
                )?;
                into.push(path);
            }
        }
        set.defines
            .extend(manifest.defines.iter().map(|(k, v)| (k.clone(), v.clone())));
        if set.files.is_empty() {
            return Err(manifest.error_at("sources", "at least one source file", "none"));
        }
        Ok(set)
    }
}

fn must_exist(
    manifest: &Manifest,
    field: String,
    path: &Path,
    is_there: impl Fn(&Path) -> bool,
    what: &str,
) -> Result<(), ManifestError> {
    if is_there(path) {
        return Ok(());
    }
    let got = if path.exists() {
        "something else"
    } else {
        "no such path"
    };
    Err(manifest.error_at(field, format!("{what} at {}", path.display()), got))
}
