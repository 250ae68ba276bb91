//! A file that holds room on the disk, to be given up for call records when there is no other.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Room for about a thousand records, which is what a busy gateway closes while somebody comes to look.
const RESERVE_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    held: AtomicBool,
}

impl Reserve {
    /// Makes the file if it isn't there. A disk too full for it is no error: there is no reserve then.
    pub fn open(path: &Path) -> Reserve {
        let reserve = Reserve { path: path.to_owned(), held: AtomicBool::new(false) };
        reserve.restore();
        reserve
    }

    /// Gives the room back to the disk; false where that was done already.
    pub fn release(&self) -> bool {
        if !self.held.swap(false, Ordering::Relaxed) {
            return false;
        }
        tracing::warn!(path = %self.path.display(), "the disk is full: the reserve is given up for call records");
        std::fs::remove_file(&self.path).is_ok()
    }

    /// Takes the room again, if the disk has it.
    pub fn restore(&self) {
        if self.held.load(Ordering::Relaxed) {
            return;
        }
        let whole = std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == RESERVE_BYTES as u64);
        if whole || fill(&self.path).is_ok() {
            self.held.store(true, Ordering::Relaxed);
        } else {
            // A part of a reserve only takes room from those who need it now.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Written and not only sized, since a sparse file holds no room.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let block = [0; 64 << 10];
    for _ in 0..RESERVE_BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_all()
}
