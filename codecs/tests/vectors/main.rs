//! The codecs against the data files of the ITU-T Software Tool Library (G.191). They aren't part of this repository:
//! `TANDEM_VECTORS` names their folder, or they lie in `shared/vectors` beside it; without them the tests say so and pass.

mod g711;
mod g722;
mod plc;

use std::path::PathBuf;

/// The file's little-endian 16-bit words, or none where the folder isn't here.
fn words(name: &str) -> Option<Vec<i16>> {
    let folder = std::env::var_os("TANDEM_VECTORS")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"));
    if !folder.is_dir() {
        println!("skipped: no vectors in {}; set TANDEM_VECTORS to their folder", folder.display());
        return None;
    }
    let path = folder.join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(bytes.chunks_exact(2).map(|word| i16::from_le_bytes([word[0], word[1]])).collect())
}

/// The words' low bytes.
fn octets(name: &str) -> Option<Vec<u8>> {
    Some(words(name)?.into_iter().map(|word| word as u8).collect())
}
