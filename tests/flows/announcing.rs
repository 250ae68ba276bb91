//! What our address is called: the public one of a 1:1 NAT towards strangers, our own towards neighbours, and on each leg
//! one of its own family.

use crate::ladder::{play, play_in};
use crate::world::{Setting, trunk};
use tandem::config::settings::Network;

/// The phones are neighbours; the carriers are outside.
fn behind_nat(setting: &mut Setting) {
    setting.settings.sip.public_address = Some("203.0.113.7".parse().expect("an address"));
    let address = "192.0.2.0".parse().expect("an address");
    setting.settings.sip.local_networks = vec![Network { address, bits: 24 }];
}

#[test]
fn strangers_are_told_the_public_address_and_neighbours_our_own() {
    play_in(
        behind_nat,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [Via ~ UDP 203.0.113.7:5060 | Contact ~ @203.0.113.7:5060> | sdp ip=203.0.113.7]
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK [Via ~ UDP 203.0.113.7:5060]
        tandem -> alice 200 [Contact ~ @192.0.2.1:5060> | sdp ip=192.0.2.1]
        alice -> tandem ACK
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE [Via ~ UDP 192.0.2.1:5060]
        alice -> tandem 200
        ",
    );
}

#[test]
fn a_carrier_calls_our_public_address() {
    play_in(
        behind_nat,
        "
        alice registers
        acme -> tandem INVITE sip:+15550100001@203.0.113.7 (sdp PCMA | From: <sip:+14155550100@acme.example>)
        tandem -> alice INVITE [Contact ~ @192.0.2.1:5060> | sdp ip=192.0.2.1]
        alice -> tandem 180
        tandem -> acme 180 [Contact ~ @203.0.113.7:5060>]
        alice -> tandem 200 (sdp PCMA)
        tandem -> alice ACK
        tandem -> acme 200 [Contact ~ @203.0.113.7:5060> | sdp ip=203.0.113.7]
        acme -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE [Via ~ UDP 203.0.113.7:5060]
        acme -> tandem 200
        ",
    );
}

#[test]
fn we_register_with_the_public_address_and_ask_with_it() {
    play_in(
        |setting| {
            behind_nat(setting);
            setting.settings.media.public_address = setting.settings.sip.public_address.take();
            setting.account_at_acme();
            setting.trunk("acme").register = true;
        },
        "
        tandem -> acme REGISTER [Via ~ UDP 203.0.113.7:5060 | Contact: <sip:4711@203.0.113.7:5060>]
        acme -> tandem 200 (Contact: <sip:someone@198.51.100.99>;expires=60, <sip:4711@203.0.113.7:5060>;expires=600)
        wait 250s
        quiet acme
        end all
        tandem -> acme REGISTER [Expires: 0]
        acme -> tandem 200
        ",
    );
}

#[test]
fn a_public_address_stands_for_its_own_family_only() {
    play_in(
        |setting| {
            behind_nat(setting);
            setting.settings.trunks.push(trunk("sixth", "2001:db8::6", None));
            setting.plan = "[[rule]]\nname = \"Out\"\nnumber = \"+.\"\nto = [{ trunk = \"sixth\" }]\n".to_owned();
        },
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> sixth INVITE [Via ~ UDP [2001:db8::1]:5060 | Contact ~ @[2001:db8::1]:5060> | sdp ip=2001:db8::1]
        sixth -> tandem 200 (sdp PCMU)
        tandem -> sixth ACK
        tandem -> alice 200 [Contact ~ @192.0.2.1:5060> | sdp ip=192.0.2.1]
        alice -> tandem ACK
        media alice [send PCMU/0 | from sixth]
        media sixth [send PCMU/0 | from alice]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> sixth BYE
        sixth -> tandem 200
        ",
    );
}

#[test]
fn a_phone_of_one_family_has_its_sound_in_the_other() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU ip=2001:db8::aa)
        tandem -> bob INVITE [sdp first=PCMU ip=192.0.2.1]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp ip=2001:db8::1]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

/// RFC 3608 §5: the proxy before a phone sends its requests there.
#[test]
fn an_edge_proxy_outside_is_told_the_public_address_for_its_phones_requests() {
    play_in(
        behind_nat,
        "
        stranger -> tandem REGISTER (as bob)
        tandem -> stranger 401
        stranger -> tandem REGISTER (as bob | auth bob | Supported: path | Path: <sip:203.0.113.9:5060;lr> | To: <sip:bob@tandem.local>)
        tandem -> stranger 200 [Service-Route: <sip:203.0.113.7:5060;lr>]
        ",
    );
}
