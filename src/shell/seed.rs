//! Fresh randomness from the system, from which generators of chance are seeded.

use crate::base::chance::Chance;
use crate::shell::error::ShellError;
use rand::TryRng;
use rand::rngs::SysRng;

/// 256 bits that nobody can guess.
pub fn fresh() -> Result<[u8; 32], ShellError> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(|error| {
        ShellError::new("the system's random numbers", error, "see that getrandom(2) or /dev/urandom works here")
    })?;
    Ok(seed)
}

/// A password for a person to type into a phone: 80 bits, without letters that look like others.
pub fn password() -> Result<String, ShellError> {
    Ok(Chance::from_seed(fresh()?).token(16))
}
