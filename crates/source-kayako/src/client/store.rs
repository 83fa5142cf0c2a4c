//! The file that keeps a refresh token: each use of one may end it, so the next must be on the disk before it is needed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use deskferry_core::http::SecretString;
use deskferry_core::{Error, ErrorKind, Result};

const KEEP: &str = "keep the refresh token of Kayako";

/// The token that the file keeps; none where there is no file or nothing in it.
pub(super) fn read(path: &Path) -> Result<Option<SecretString>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim())
            .filter(|token| !token.is_empty())
            .map(SecretString::from)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Puts a token into the file: written beside it, for this user alone, then put in its place.
pub(super) fn write(path: &Path, token: &SecretString) -> Result<()> {
    replace(path, token.expose()).map_err(|error| failed(path, &error))
}

fn replace(path: &Path, token: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = folder.join(name);
    let written = create(&beside).and_then(|mut file| {
        writeln!(file, "{token}")?;
        file.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        // A token must not lie about under another name; the first error is the one that counts.
        let _ = std::fs::remove_file(&beside);
    }
    placed?;
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Storage, KEEP, error.to_string())
        .with("file", path.display())
        .advise("Name a file in a folder that this user may write to, or leave `refresh_token_store` out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_whole_for_this_user_alone_and_replaced_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read(&path).unwrap().is_none());
        for token in ["first", "second, and longer"] {
            write(&path, &SecretString::from(token)).unwrap();
            assert_eq!(read(&path).unwrap().unwrap().expose(), token);
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_and_the_token_is_not() {
        let path = Path::new("/no/such/folder/token");
        let error = write(path, &SecretString::from("hidden")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(
            format!("{error:?}").contains("/no/such/folder/token"),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
    }
}
