//! URIs, addresses, Via values and credentials: what can be read is read the same again.

use tandem::wire::sip::{NameAddr, Uri, Via, challenges, escape_user};

pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(uri) = Uri::parse(&text) {
        assert!(uri.equivalent(&uri), "{uri} differs from itself");
        let user = uri.user_decoded().into_owned();
        let written = format!("sip:{}@example.net", escape_user(&user));
        if !user.is_empty() {
            let again = Uri::parse(&written).expect("an escaped user is legal");
            assert_eq!(again.user_decoded(), user);
        }
        let _ = (uri.host_ip(), uri.port(), uri.headers(), uri.password(), uri.params().iter().count());
    }
    if let Ok(address) = NameAddr::parse(&text) {
        let _ = (address.display(), address.tag(), address.q(), address.expires(), address.parse_uri().is_ok());
    }
    if let Ok(via) = Via::parse(&text) {
        let _ = (via.branch(), via.received(), via.rport(), via.params().iter().count());
    }
    for challenge in challenges(&text).take(1_000).filter_map(Result::ok) {
        let _ = (challenge.is_digest(), challenge.params().count(), challenge.get("nonce"));
    }
}
