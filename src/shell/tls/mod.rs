//! Who we are and whom we believe over TLS: read from the operator's files, and replaced as a whole by a reload. Handshakes
//! take what stands at their moment; connections that are open go on.

mod expiry;
mod identity;

use crate::base::time::Wall;
use crate::config::settings::{Certificate, ClientCertificate, Network, Settings, Trunk, TrunkTransport};
use crate::shell::error::{Problems, ShellError};
use arc_swap::ArcSwapOption;
use identity::Identity;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// What is in force now; none while nothing uses TLS.
pub type Current = Arc<ArcSwapOption<Tls>>;

pub struct Tls {
    sip: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    /// Towards whom nothing is configured.
    client: Option<Arc<ClientConfig>>,
    trunks: Vec<Peer>,
    expiries: Vec<(String, Wall)>,
}

/// A trunk over TLS.
struct Peer {
    host: String,
    /// Through which all goes to it.
    proxy: Option<String>,
    domain: Option<String>,
    from: Vec<Network>,
    client: Arc<ClientConfig>,
    /// None where nothing is asked of it.
    server: Option<Arc<ServerConfig>>,
    is_required: bool,
}

/// How a connection that comes in is taken.
pub struct Welcome {
    pub config: Arc<ServerConfig>,
    /// Names of which the peer's certificate must have one, if it shows one; empty where it isn't asked.
    names: Vec<String>,
}

impl Tls {
    /// Reads all files that the settings name, and makes a certificate where none is named. None if nothing uses TLS.
    pub fn load(settings: &Settings) -> Result<Option<Tls>, Problems> {
        Tls::read(settings, false).map_err(Problems::from)
    }

    /// What is wrong with the files that the settings name. Changes nothing.
    pub fn problems(settings: &Settings) -> Vec<ShellError> {
        Tls::read(settings, true).err().unwrap_or_default()
    }

    /// The same for a client: a certificate of our own making is kept nowhere.
    pub fn without_files(settings: &Settings) -> Result<Option<Tls>, Problems> {
        Tls::read(settings, true).map_err(Problems::from)
    }

    fn read(settings: &Settings, is_trial: bool) -> Result<Option<Tls>, Vec<ShellError>> {
        let trunks = || settings.trunks.iter().filter(|trunk| trunk.transport == Some(TrunkTransport::Tls));
        if settings.sip.tls.is_empty() && settings.http.tls.is_none() && trunks().next().is_none() {
            return Ok(None);
        }
        let mut loader = Loader::new(settings, is_trial);
        let sip = loader.identity("sip", settings.sip.certificate.as_ref());
        let http = match &settings.http.certificate {
            None => sip.clone(),
            Some(certificate) => loader.identity("http", Some(certificate)),
        };
        let own = settings.sip.certificate.as_ref().and(sip.clone());
        let peers: Vec<Option<Peer>> = trunks().map(|trunk| loader.peer(trunk, &sip, &own)).collect();
        let client = loader.roots(None).and_then(|roots| loader.client(roots, own.as_deref()));
        let sip = sip.and_then(|sip| loader.server(&sip, None));
        let http = http.and_then(|http| loader.server(&http, None)).map(speaks_http);
        match (sip, http, loader.problems.is_empty()) {
            (Some(sip), Some(http), true) => Ok(Some(Tls {
                sip,
                http,
                client,
                trunks: peers.into_iter().flatten().collect(),
                expiries: loader.expiries,
            })),
            _ => Err(loader.problems),
        }
    }

    /// For a connection from `remote`; `hosts` are the names under which that address was found.
    pub fn welcome(&self, remote: IpAddr, hosts: &[String]) -> Welcome {
        let peer = self.trunks.iter().find(|peer| {
            peer.server.is_some()
                && (peer.from.iter().any(|network| network.contains(remote))
                    || peer.host.parse() == Ok(remote.to_canonical())
                    || hosts.iter().any(|host| host.eq_ignore_ascii_case(&peer.host)))
        });
        match peer.and_then(|peer| Some((peer, peer.server.clone()?))) {
            Some((peer, config)) => {
                let names = std::iter::once(&peer.host).chain(&peer.domain).cloned().collect();
                Welcome { config, names }
            }
            None => Welcome { config: Arc::clone(&self.sip), names: Vec::new() },
        }
    }

    /// Whether connections from a trunk that is found under this name must have shown its certificate.
    pub fn is_required(&self, host: &str) -> bool {
        self.trunks.iter().any(|peer| peer.is_required && peer.host.eq_ignore_ascii_case(host))
    }

    /// For a connection to a host; none where this machine has no roots.
    pub fn towards(&self, host: &str) -> Option<Arc<ClientConfig>> {
        let named = self.trunks.iter().find(|peer| peer.is_at(host));
        let peer = named.or_else(|| self.trunks.iter().find(|peer| peer.has_beneath(host)));
        peer.map(|peer| &peer.client).or(self.client.as_ref()).cloned()
    }

    pub fn http(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.http)
    }

    /// Our certificates by whose they are, and when each one ends.
    pub fn expiries(&self) -> &[(String, Wall)] {
        &self.expiries
    }
}

impl Peer {
    fn is_at(&self, host: &str) -> bool {
        std::iter::once(&self.host).chain(&self.proxy).any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether a host is in the trunk's own domain, as those are to which its registrar sends us (RFC 3608).
    fn has_beneath(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        std::iter::once(&self.host).chain(&self.domain).any(|domain| {
            let name = host.strip_suffix(&domain.to_ascii_lowercase());
            domain.contains('.') && domain.parse::<IpAddr>().is_err() && name.is_some_and(|name| name.ends_with('.'))
        })
    }
}

impl Welcome {
    /// Whether the peer has proven to be who calls from its address; an error if it proved to be somebody else.
    pub fn judge(&self, shown: Option<&[CertificateDer<'_>]>) -> Result<bool, String> {
        let Some(first) = shown.and_then(<[_]>::first).filter(|_| !self.names.is_empty()) else { return Ok(false) };
        let certificate = webpki::EndEntityCert::try_from(first).map_err(|error| error.to_string())?;
        let is_for = |name: &String| {
            let name = ServerName::try_from(name.as_str()).ok();
            name.is_some_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
        };
        match self.names.iter().any(is_for) {
            true => Ok(true),
            false => Err(format!("its certificate is not for {}", self.names.join(" or "))),
        }
    }
}

fn speaks_http(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Reads files, each once, and goes on after a problem.
struct Loader<'a> {
    settings: &'a Settings,
    /// Nothing may be written.
    is_trial: bool,
    provider: Arc<CryptoProvider>,
    problems: Vec<ShellError>,
    expiries: Vec<(String, Wall)>,
    roots: HashMap<Option<&'a Path>, Option<Arc<RootCertStore>>>,
}

impl<'a> Loader<'a> {
    fn new(settings: &'a Settings, is_trial: bool) -> Loader<'a> {
        Loader {
            settings,
            is_trial,
            provider: Arc::new(aws_lc_rs::default_provider()),
            problems: Vec::new(),
            expiries: Vec::new(),
            roots: HashMap::new(),
        }
    }

    fn identity(&mut self, whose: &str, certificate: Option<&Certificate>) -> Option<Arc<Identity>> {
        let read = match certificate {
            Some(certificate) => Identity::read(certificate),
            None => Identity::own(self.settings, self.is_trial),
        };
        let identity = self.settle(read)?;
        self.expiries.extend(identity.expires.map(|expires| (whose.to_owned(), expires)));
        Some(Arc::new(identity))
    }

    fn peer(&mut self, trunk: &'a Trunk, sip: &Option<Arc<Identity>>, own: &Option<Arc<Identity>>) -> Option<Peer> {
        let shown = match &trunk.tls.certificate {
            Some(certificate) => self.identity(&format!("trunk:{}", trunk.name), Some(certificate)),
            None => own.clone(),
        };
        let roots = self.roots(trunk.tls.ca.as_deref());
        if roots.is_none() && trunk.tls.ca.is_none() {
            self.problems.push(ShellError::new(
                format_args!("trunk `{}`", trunk.name),
                "this machine has no roots to check its certificate with",
                "install ca-certificates, or name the provider's roots with `ca`",
            ));
        }
        let roots = roots?;
        let client = self.client(Arc::clone(&roots), shown.as_deref())?;
        let rule = trunk.tls.client_certificate;
        let server = match rule {
            ClientCertificate::No => None,
            _ => Some(self.server(sip.as_deref()?, Some((roots, rule)))?),
        };
        Some(Peer {
            host: trunk.host.clone(),
            proxy: trunk.outbound_proxy.as_ref().map(|proxy| proxy.host.clone()),
            domain: trunk.domain.clone(),
            from: trunk.from.clone(),
            client,
            server,
            is_required: rule == ClientCertificate::Required,
        })
    }

    /// Those of a file, or of the system; none where there are none.
    fn roots(&mut self, file: Option<&'a Path>) -> Option<Arc<RootCertStore>> {
        if let Some(known) = self.roots.get(&file) {
            return known.clone();
        }
        let mut store = RootCertStore::empty();
        match file {
            None => {
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(path) => {
                let read = identity::certificates(path);
                store.add_parsable_certificates(self.settle(read).unwrap_or_default());
                if store.is_empty() && !self.problems.iter().any(|problem| problem.place == path.display().to_string())
                {
                    let what = "holds no certificate that can be a root";
                    self.problems.push(ShellError::new(path.display(), what, "name the provider's PEM file"));
                }
            }
        }
        let roots = (!store.is_empty()).then(|| Arc::new(store));
        self.roots.insert(file, roots.clone());
        roots
    }

    fn server(
        &mut self,
        identity: &Identity,
        asks: Option<(Arc<RootCertStore>, ClientCertificate)>,
    ) -> Option<Arc<ServerConfig>> {
        let made = (|| {
            let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?;
            let builder = match asks {
                None => builder.with_no_client_auth(),
                Some((roots, rule)) => {
                    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&self.provider));
                    let verifier = match rule {
                        ClientCertificate::Required => verifier,
                        _ => verifier.allow_unauthenticated(),
                    };
                    builder.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
                }
            };
            let config = builder.with_single_cert(identity.chain.clone(), identity.key.clone_key());
            config.map(Arc::new).map_err(|error| error.to_string())
        })();
        self.settle(made.map_err(|why| identity.unusable(why)))
    }

    fn client(&mut self, roots: Arc<RootCertStore>, shown: Option<&Identity>) -> Option<Arc<ClientConfig>> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| ShellError::new("tls", error, "this build has no TLS version; take another"));
        let builder = self.settle(builder)?.with_root_certificates(roots);
        let config = match shown {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| identity.unusable(error)),
        };
        self.settle(config).map(Arc::new)
    }

    fn settle<T>(&mut self, result: Result<T, ShellError>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::OutboundProxy;
    use std::fs;

    fn settings(folder: &Path) -> Settings {
        let mut settings = Settings { data: folder.to_owned(), ..Settings::default() };
        settings.sip.tls = vec!["127.0.0.1:0".parse().unwrap()];
        settings
    }

    #[test]
    fn without_a_certificate_we_make_one_and_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let first = Tls::load(&settings).unwrap().unwrap();
        let made = fs::read(folder.path().join("tls/certificate.pem")).unwrap();
        Tls::load(&settings).unwrap();
        assert_eq!(fs::read(folder.path().join("tls/certificate.pem")).unwrap(), made);
        assert!(first.expiries()[0].1.seconds() > 1_800_000_000);
    }

    #[test]
    fn nothing_is_read_where_nothing_uses_it() {
        assert!(Tls::load(&Settings::default()).unwrap().is_none());
    }

    #[test]
    fn a_trunks_proxy_and_the_hosts_of_its_domain_are_met_as_the_trunk_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        Tls::load(&settings).unwrap();
        let mut trunk = Trunk::named("ims", "ims.example");
        trunk.transport = Some(TrunkTransport::Tls);
        trunk.tls.ca = Some(folder.path().join("tls/certificate.pem"));
        trunk.outbound_proxy = Some(OutboundProxy { host: "sbc.elsewhere.example".to_owned(), port: None });
        settings.trunks = vec![trunk];
        let tls = Tls::load(&settings).unwrap().unwrap();
        let is_theirs = |host: &str| {
            let (own, met) = (tls.towards("ims.example").unwrap(), tls.towards(host));
            met.is_some_and(|met| Arc::ptr_eq(&own, &met))
        };
        assert!(is_theirs("SBC.elsewhere.example") && is_theirs("pcscf1.IMS.example"));
        assert!(!is_theirs("elsewhere.example") && !is_theirs("notims.example") && !is_theirs("192.0.2.1"));
    }

    #[test]
    fn a_trial_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Tls::problems(&settings(folder.path())), []);
        assert!(!folder.path().join("tls").exists());
    }

    #[test]
    fn a_file_that_is_no_certificate_is_named_with_its_mend() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        let (chain, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        fs::write(&chain, "nothing").unwrap();
        settings.sip.certificate = Some(Certificate { chain: chain.clone(), key: key.clone() });
        let problems = Tls::load(&settings).err().unwrap().0;
        assert!(problems[0].starts_with(&format!("{}: holds no certificate", chain.display())), "{problems:?}");
        Tls::load(&Settings {
            sip: crate::config::settings::Sip { certificate: None, ..settings.sip.clone() },
            ..settings.clone()
        })
        .unwrap();
        fs::copy(folder.path().join("tls/certificate.pem"), &chain).unwrap();
        let problems = Tls::load(&settings).err().unwrap().0;
        assert!(problems[0].starts_with(&format!("{}: can't be read", key.display())), "{problems:?}");
    }

    #[test]
    fn a_peer_is_who_its_certificate_names() {
        let made = rcgen::generate_simple_self_signed(["peer.example".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = Tls::load(&settings(folder.path())).unwrap().unwrap().http();
        let judge = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Welcome { config: Arc::clone(&config), names }.judge(Some(&[made.cert.der().clone()]))
        };
        assert_eq!(judge(&["other.example", "peer.example"]), Ok(true));
        assert_eq!(judge(&[]), Ok(false));
        assert!(judge(&["127.0.0.1"]).is_err());
    }
}
