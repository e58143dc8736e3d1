//! A folder with configuration files in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sluice::config::{ConfigError, Document, Loaded, load_with};

pub(super) struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    pub(super) fn new() -> Self {
        let folder = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(folder.path("credentials")).unwrap();
        folder.secret("credentials/carrier-1", "hush\n", 0o400);
        folder
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(super) fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn secret(&self, file: &str, text: &str, mode: u32) {
        let path = self.write(file, text);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn load<D: Document>(&self, file: &Path) -> Result<Loaded<D>, ConfigError> {
        load_with(file, Some(&self.path("credentials")))
    }

    /// What is said about a file, without the folder's name.
    pub(super) fn told<D: Document>(&self, text: &str) -> String {
        // FOLDER in a file is this folder.
        let shown = self.folder.path().display().to_string();
        let file = self.write(
            &format!("{}.toml", D::MODE),
            &text.replace("FOLDER", &shown),
        );
        match self.load::<D>(&file) {
            Ok(loaded) => loaded
                .warnings
                .iter()
                .map(|warning| format!("warning: {warning}\n"))
                .collect(),
            Err(why) => why.to_string(),
        }
        .replace(&format!("{shown}/"), "")
    }
}
