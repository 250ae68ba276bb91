//! What depends on the transport: requests too large for a datagram, and trunks that have to prove who they are.

use crate::ladder::play_in;
use crate::world::Setting;
use tandem::config::settings::{ClientCertificate, TrunkTransport};
use tandem_codecs::Codec;

/// RFC 3261 §18.1.1: acme takes no connection, so that its INVITE comes in a datagram after all, and is repeated there.
#[test]
fn a_large_request_goes_in_a_datagram_where_no_connection_is_taken() {
    let large = |setting: &mut Setting| setting.trunk("acme").domain = Some(format!("{}.example", "a".repeat(1_300)));
    play_in(
        large,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [Via ~ SIP/2.0/UDP]
        wait 500ms
        tandem -> acme INVITE
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200
        ",
    );
}

#[test]
fn a_trunk_that_must_show_a_certificate_is_a_stranger_without() {
    play_in(
        |setting| {
            setting.trunk("acme").tls.client_certificate = ClientCertificate::Required;
            setting.trunk("acme").codecs = vec![Codec::Pcmu];
        },
        "
        acme -> tandem INVITE +15550100001 (sdp PCMU)
        tandem -> acme 401
        acme -> tandem ACK
        quiet alice
        ",
    );
}

/// A proxy that ends the browsers' TLS may live on a trunk's machine, and whoever forges an address can't make a connection.
#[test]
fn an_address_alone_makes_no_trunk() {
    let stranger = "(From: <sip:+14155550100@elsewhere.example> | sdp PCMU)";
    for (transport, refused, taken) in [
        (None, &["browser"][..], Some("forger")),
        (Some(TrunkTransport::Udp), &["browser"], Some("forger")),
        (Some(TrunkTransport::Tcp), &["browser", "forger"], None),
        (Some(TrunkTransport::Tls), &["browser", "forger"], None),
    ] {
        let challenged = refused.iter().map(|name| {
            format!(
                "{name} -> tandem INVITE +15550100001 {stranger}\ntandem -> {name} 401\n{name} -> tandem ACK\n\
                 {name} -> tandem MESSAGE bob (From: <sip:x@elsewhere.example> | type: text/plain | body: hello)\n\
                 tandem -> {name} 401\n"
            )
        });
        let admitted = taken.map(|name| {
            format!(
                "{name} -> tandem INVITE +15550100001 {stranger}\ntandem -> {name} 480\nrecord [caller trunk:acme]\n"
            )
        });
        let ladder: String = challenged.chain(admitted).collect();
        play_in(|setting| setting.trunk("acme").transport = transport, &ladder);
    }
}

/// RFC 3261 §26.3.1: who connects back to our Contact checks our certificate by the name in it.
#[test]
fn a_trunk_that_knows_us_by_name_is_told_that_name() {
    play_in(
        |setting| {
            let acme = setting.trunk("acme");
            (acme.host, acme.transport) = ("198.51.100.13".to_owned(), Some(TrunkTransport::Tls));
            acme.contact_host = Some("sbc.office.example".to_owned());
        },
        "
        alice calls +15550190000 (sdp PCMU)
        tandem -> gamma INVITE [Via ~ SIP/2.0/TLS sbc.office.example:5060; | Contact: <sip:+15550100001@sbc.office.example:5060;transport=tls>]
        gamma -> tandem 200 (sdp PCMU)
        tandem -> gamma ACK [Via ~ SIP/2.0/TLS sbc.office.example:5060;]
        tandem -> alice 200 [Contact ~ @192.0.2.1:5060>]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> gamma BYE [Via ~ SIP/2.0/TLS sbc.office.example:5060;]
        gamma -> tandem 200
        alice registers
        gamma -> tandem INVITE sip:+15550100001@sbc.office.example:5060 (From: <sip:+14155550100@198.51.100.13> | sdp PCMU)
        tandem -> alice INVITE [Contact ~ @192.0.2.1:5060>]
        alice -> tandem 180
        tandem -> gamma 180 [Contact: <sip:+15550100001@sbc.office.example:5060;transport=tls>]
        alice -> tandem 486
        tandem -> gamma 486
        ",
    );
}
