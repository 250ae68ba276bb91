//! What depends on the transport: requests too large for a datagram, and trunks that have to prove who they are.

use crate::ladder::{play, play_in};
use crate::world::Setting;
use std::time::Duration;
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

/// RFC 3261 §12.2.1.1, RFC 3263: emil's connection is one way to him; his Contact says the other.
const EMIL_CLOSES: &str = "
    bob registers
    emil calls bob (sdp PCMU | Contact: <sip:x@192.0.2.41:5060>)
    tandem -> bob INVITE
    bob -> tandem 200 (sdp PCMU)
    tandem -> bob ACK
    tandem -> emil 200
    emil -> tandem ACK
    emil is gone
";

#[test]
fn a_bye_is_heard_though_the_connection_is_gone() {
    play(&format!(
        "{EMIL_CLOSES}
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> emil2 BYE [Via ~ SIP/2.0/UDP | uri sip:x@192.0.2.41:5060]
        wait 500ms
        tandem -> emil2 BYE
        emil2 -> tandem 200
        record [status 200 | by callee]
        "
    ));
}

#[test]
fn a_request_on_the_wire_when_its_connection_closes_is_sent_again() {
    play(&format!(
        "{}
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> emil BYE [Via ~ SIP/2.0/TCP]
        emil is gone
        tandem -> emil2 BYE [Via ~ SIP/2.0/UDP]
        emil2 -> tandem 200
        record [status 200 | by callee]
        ",
        EMIL_CLOSES.replace("emil is gone", "")
    ));
}

#[test]
fn a_proxy_that_is_known_by_name_is_looked_up_once_its_connection_is_gone() {
    let by_proxy = EMIL_CLOSES.replace("| Contact", "| Record-Route: <sip:proxy.example;lr> | Contact");
    play(&format!(
        "dns proxy.example A 192.0.2.41
        {by_proxy}
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> emil2 BYE [Via ~ SIP/2.0/UDP | Route: <sip:proxy.example;lr>]
        emil2 -> tandem 200
        "
    ));
    play(&format!(
        "{by_proxy}
        bob -> tandem BYE
        tandem -> bob 200
        record [status 200 | by callee]
        "
    ));
}

#[test]
fn two_who_talk_are_not_cut_off_because_a_connection_is_gone() {
    play_in(
        |setting| setting.settings.sip.dialog_interval = Duration::from_secs(300),
        "
        emil talks to bob (PCMU)
        emil is gone
        wait 300s
        tandem -> bob OPTIONS
        bob -> tandem 200
        wait 300s
        tandem -> bob OPTIONS
        bob -> tandem 200
        emil -> tandem BYE
        tandem -> emil 200
        tandem -> bob BYE
        bob -> tandem 200
        record [status 200 | by caller]
        ",
    );
}

/// RFC 3327 §5.4: the phones of a proxy outlive its connection.
#[test]
fn a_phone_behind_a_proxy_is_reached_though_the_proxy_closed_its_connection() {
    play(
        "
        emil -> tandem REGISTER
        tandem -> emil 401
        emil -> tandem REGISTER (auth | Supported: path | Path: <sip:192.0.2.41:5060;lr>)
        tandem -> emil 200
        emil is gone
        alice calls emil (sdp PCMU)
        tandem -> emil2 INVITE [Via ~ SIP/2.0/UDP | Route: <sip:192.0.2.41:5060;lr>]
        emil2 -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_phone_that_only_its_connection_leads_to_goes_with_it() {
    play(
        "
        emil -> tandem REGISTER
        tandem -> emil 401
        emil -> tandem REGISTER (auth | Contact: <sip:x@10.0.0.41:5060>)
        tandem -> emil 200
        emil is gone
        alice calls emil (sdp PCMU)
        tandem -> alice 480 [no Reason]
        record [cause 480]
        ",
    );
}

/// RFC 3261 §18.4: what a host sends back ends an attempt to begin something, and nothing that goes on.
#[test]
fn a_datagram_that_comes_back_ends_no_call() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob is gone
        wait 500ms
        tandem -> bob BYE
        bob -> tandem 200
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme is gone
        tandem -> globex INVITE
        globex -> tandem 180
        tandem -> alice 180
        globex is gone
        globex -> tandem 486
        tandem -> alice 486
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
