//! A certificate with its key: read from the operator's files, or made by ourselves where none are named.

use super::expiry::not_after;
use crate::base::time::Wall;
use crate::config::settings::{Certificate, Settings};
use crate::shell::error::ShellError;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    /// When the certificate ends.
    pub expires: Option<Wall>,
    place: PathBuf,
}

impl Identity {
    pub fn read(files: &Certificate) -> Result<Identity, ShellError> {
        let chain = certificates(&files.chain)?;
        let Some(first) = chain.first() else {
            let what = "holds no certificate in PEM";
            return Err(ShellError::new(
                files.chain.display(),
                what,
                "name the file that begins with BEGIN CERTIFICATE",
            ));
        };
        let expires = not_after(first);
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| match error {
            pem::Error::Io(error) => ShellError::file(&files.key, "can't be read", &error),
            _ => ShellError::new(
                files.key.display(),
                "holds no private key in PEM without a password",
                "name the file that begins with BEGIN PRIVATE KEY",
            ),
        })?;
        Ok(Identity { chain, key, expires, place: files.chain.clone() })
    }

    /// The one of our own making. It is kept, so that phones may be told to believe it, unless this is a trial.
    pub fn own(settings: &Settings, is_trial: bool) -> Result<Identity, ShellError> {
        let folder = settings.data.join("tls");
        let files = Certificate { chain: folder.join("certificate.pem"), key: folder.join("key.pem") };
        if !files.chain.exists() || !files.key.exists() {
            if is_trial {
                let (made, key) = signed_by_itself(settings)?;
                let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
                return Ok(Identity { chain: vec![made.into()], key, expires: None, place: files.chain });
            }
            make(settings, &folder, &files)?;
            tracing::warn!(
                "made a certificate, {}, which no phone knows: tell them to believe it, or name one of a public \
                 authority with `certificate` and `key` in [sip]",
                files.chain.display()
            );
        }
        Identity::read(&files)
    }

    pub fn unusable(&self, why: impl std::fmt::Display) -> ShellError {
        ShellError::new(self.place.display(), why, "see that certificate and key belong together")
    }
}

/// All certificates of a PEM file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ShellError> {
    let wrong = |error| match error {
        pem::Error::Io(error) => ShellError::file(path, "can't be read", &error),
        other => ShellError::new(path.display(), format_args!("is no PEM: {other}"), "name a file of certificates"),
    };
    match CertificateDer::pem_file_iter(path) {
        Ok(found) => found.collect::<Result<_, _>>().map_err(wrong),
        Err(error) => Err(wrong(error)),
    }
}

fn make(settings: &Settings, folder: &Path, files: &Certificate) -> Result<(), ShellError> {
    let (made, signing_key) = signed_by_itself(settings)?;
    let cant = |error: io::Error| ShellError::file(folder, "can't keep a certificate there", &error);
    fs::create_dir_all(folder).map_err(cant)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut key = options.open(&files.key).map_err(cant)?;
    key.write_all(signing_key.serialize_pem().as_bytes()).map_err(cant)?;
    fs::write(&files.chain, made.pem()).map_err(cant)
}

fn signed_by_itself(settings: &Settings) -> Result<(rcgen::Certificate, KeyPair), ShellError> {
    let addresses = settings.sip.tls.iter().map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
    let addresses = addresses.chain(settings.media.public_address).map(|ip| ip.to_string());
    let mut names = vec![settings.sip.domain.clone(), "localhost".to_owned(), "127.0.0.1".to_owned()];
    names.extend(addresses.filter(|address| address != "127.0.0.1"));
    self_signed(&settings.sip.domain, names).map_err(|error| {
        let what = format_args!("can't make a certificate for {}: {error}", settings.sip.domain);
        ShellError::new("[sip]", what, "name one with `certificate` and `key`")
    })
}

fn self_signed(domain: &str, names: Vec<String>) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, domain);
    Ok((params.self_signed(&key)?, key))
}
