//! The token of the API's callers, which a file in the data folder holds.

use crate::base::chance::Chance;
use crate::shell::error::ShellError;
use crate::shell::seed;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// 5 bits each.
const LENGTH: usize = 40;
/// A longer file is something else.
const FILE_BYTES: u64 = 4096;

/// Knows the token when it sees it, and doesn't hold it.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
}

/// Where the token is, under the folder of the setting `data`.
pub fn path(data: &Path) -> PathBuf {
    data.join("admin.token")
}

/// Reads the token as a client of the API does.
pub fn read(data: &Path) -> Result<String, ShellError> {
    let path = path(data);
    let file = File::open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => ShellError::new(
            path.display(),
            "there is no token for the API",
            "start the gateway with `tandem run`, which makes it, or use the same --config (and folder) as the gateway",
        ),
        _ => ShellError::file(&path, "can't read the token of the API", &error),
    })?;
    token_of(&path, file)
}

/// Reads the token as the gateway does: makes it if it isn't there, and refuses one that others can read.
pub fn open(data: &Path) -> Result<Token, ShellError> {
    let path = path(data);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let token = Chance::from_seed(seed::fresh()?).token(LENGTH);
            let written = file.write_all(format!("{token}\n").as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| {
                // An empty file would be taken for a token that was lost.
                let _ = std::fs::remove_file(&path);
                ShellError::file(&path, "can't write the token of the API", &error)
            })?;
            Ok(Token::new(&token))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = File::open(&path).map_err(|error| ShellError::file(&path, "can't read the token", &error))?;
            refuse_if_shared(&path, &file)?;
            token_of(&path, file).map(|token| Token::new(&token))
        }
        Err(error) => Err(ShellError::file(&path, "can't make the token of the API", &error)),
    }
}

impl Token {
    pub fn new(token: &str) -> Token {
        Token { digest: Sha256::digest(token.as_bytes()).into() }
    }

    /// Compares digests and all of their bytes, so that the time taken says nothing about the token or its length.
    pub fn is(&self, offered: &str) -> bool {
        let offered: [u8; 32] = Sha256::digest(offered.as_bytes()).into();
        let difference =
            self.digest.iter().zip(offered).fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs));
        std::hint::black_box(difference) == 0
    }
}

fn refuse_if_shared(path: &Path, file: &File) -> Result<(), ShellError> {
    let metadata = file.metadata().map_err(|error| ShellError::file(path, "can't look at the token", &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ShellError::new(
            path.display(),
            format_args!("others may read or write the token of the API (mode {mode:04o})"),
            "chmod 600 it; if somebody may have read it, remove it, and the next start makes another",
        ));
    }
    Ok(())
}

fn token_of(path: &Path, file: File) -> Result<String, ShellError> {
    let mut text = String::new();
    file.take(FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| ShellError::file(path, "can't read the token of the API", &error))?;
    let token = text.trim();
    if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ShellError::new(
            path.display(),
            "there is no token in this file (one line of 16 or more letters and digits)",
            "remove it, and the next start makes another",
        ));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("tandem run"));
        let made = open(folder.path()).unwrap();
        let text = read(folder.path()).unwrap();
        assert_eq!(text.len(), LENGTH);
        assert!(made.is(&text) && open(folder.path()).unwrap().is(&text));
        assert!(!made.is("") && !made.is(&text[1..]) && !made.is(&format!("{text}x")));
        let mode = std::fs::metadata(path(folder.path())).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn a_token_that_others_can_read_is_refused_with_the_mend() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).unwrap();
        std::fs::set_permissions(path(folder.path()), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("admin.token") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_empty_token_file_is_no_token() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path()), "\n").unwrap();
        std::fs::set_permissions(path(folder.path()), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(open(folder.path()).is_err());
        assert!(read(folder.path()).is_err());
    }
}
