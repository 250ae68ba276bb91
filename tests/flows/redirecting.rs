//! 3xx: followed within the rights of who redirects, passed on, or refused.

use crate::ladder::{play, play_in};
use crate::world::Setting;
use tandem::config::settings::Redirects;

#[test]
fn a_phone_diverts_to_a_colleague() {
    play(
        "
        bob registers
        carol registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 302 (Contact: <sip:carol@tandem.local>)
        tandem -> alice 181
        tandem -> carol INVITE [From ~ +15550100001 | Max-Forwards: 68 | Diversion: <sip:bob@tandem.local>;reason=deflection;counter=1;privacy=off | History-Info ~ <sip:carol@tandem.local;cause=480>;index=1.1;mp=1]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        record [leg 1 user:bob 302 | leg 2 user:carol 200]
        ",
    );
}

#[test]
fn the_contact_that_is_preferred_comes_first_and_then_the_next() {
    play(
        "
        bob registers
        carol registers
        dora registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 300 (Contact: <sip:dora@tandem.local>;q=0.1, <sip:carol@192.0.2.1>;q=0.9)
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 480
        tandem -> dora INVITE
        dora -> tandem 486
        tandem -> alice 486
        ",
    );
}

/// A redirection is a forward: the books and the limits see it as one, and each rule says how the caller is shown.
#[test]
fn a_redirection_is_told_and_limited_as_a_forward_is() {
    play_in(
        |setting| {
            setting.settings.limits.forwarded_calls = 1;
            setting.trunk("acme").identity.forwards_in.diversion = true;
        },
        "
        bob registers
        carol registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 302 (Contact: <tel:+14155550100>;q=0.9, <sip:carol@tandem.local>;q=0.5)
        tandem -> alice 181
        tandem -> acme INVITE [Diversion ~ reason=deflection | Max-Forwards: 68]
        carol calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 302 (Contact: <sip:dora@tandem.local>)
        tandem -> carol 480
        acme -> tandem 500
        tandem -> globex INVITE [no Diversion]
        globex -> tandem 500
        tandem -> carol INVITE [Diversion ~ <sip:bob@tandem.local>;reason=deflection]
        carol -> tandem 486
        tandem -> alice 486
        record 1 [leg 1 user:bob 302 | leg 2 trunk:acme 500 | leg 4 user:carol 486]
        ",
    );
}

#[test]
fn a_phone_may_divert_to_what_it_may_call_itself() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 302 (Contact: <tel:+14155550100>)
        tandem -> alice 181
        tandem -> acme INVITE [uri sip:+14155550100@198.51.100.11]
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_trunk_may_not_send_our_callers_where_it_may_not_call_itself() {
    play_in(
        |setting| {
            setting.plan = "
[[rule]]
name = \"Premium\"
from = [\"users\"]
number = \"+1900.\"
to = [{ trunk = \"globex\" }]

[[rule]]
name = \"People\"
from = [\"users\", \"trunks\"]
dialled = \"user\"
to = [{ user = \"{user}\" }]

[[rule]]
name = \"Out\"
number = \"+.\"
to = [{ trunk = \"acme\" }]
"
            .to_owned();
        },
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 302 (Contact: <sip:+19005550100@198.51.100.12:5080>)
        tandem -> alice 480
        quiet globex
        record [leg 1 trunk:acme 302]
        carol registers
        alice -> tandem INVITE +14155550100 (auth | sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 302 (Contact: <sip:carol@anywhere.example>)
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_contact_elsewhere_is_no_way_into_our_network() {
    for contact in ["sip:root@10.0.0.1", "sip:x@127.0.0.1:22", "sip:bob@192.0.2.22", "http://inside.example/", "sip:gw"]
    {
        play(&format!(
            "
            bob registers
            alice calls bob (sdp PCMU)
            tandem -> bob INVITE
            bob -> tandem 302 (Contact: <{contact}>)
            tandem -> alice 480 [no Contact]
            quiet bob2 stranger
            "
        ));
    }
}

#[test]
fn redirections_do_not_run_in_a_circle() {
    play(
        "
        bob registers
        carol registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 302 (Contact: <sip:carol@tandem.local>)
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 302 (Contact: <sip:bob@tandem.local>)
        tandem -> alice 480
        record [legs 3]
        ",
    );
}

#[test]
fn a_chain_of_redirections_has_an_end() {
    play_in(
        |setting| setting.settings.limits.redirects = 1,
        "
        bob registers
        carol registers
        dora registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 302 (Contact: <sip:carol@tandem.local>)
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 302 (Contact: <sip:dora@tandem.local>)
        tandem -> alice 480
        quiet dora
        ",
    );
}

#[test]
fn other_phones_go_on_ringing_while_one_diverts() {
    play(
        "
        bob registers
        bob2 registers
        carol registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        bob2 -> tandem 180
        tandem -> alice 180
        bob -> tandem 302 (Contact: <sip:carol@tandem.local>)
        quiet carol
        bob2 -> tandem 486
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn who_declines_for_good_is_not_diverted() {
    play(
        "
        bob registers
        bob2 registers
        carol registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        bob -> tandem 302 (Contact: <sip:carol@tandem.local>)
        bob2 -> tandem 603
        tandem -> alice 603
        quiet carol
        ",
    );
}

fn two_addresses(setting: &mut Setting) {
    setting.trunk("acme").host = "acme.example".to_owned();
    setting.dns = "
        _sip._udp.acme.example SRV 10 0 5060 one.acme.example
        _sip._udp.acme.example SRV 20 0 5060 two.acme.example
        one.acme.example A 198.51.100.11
        two.acme.example A 198.51.100.21
    "
    .to_owned();
}

#[test]
fn a_trunk_names_another_server_of_its_own() {
    play_in(
        |setting| {
            two_addresses(setting);
            setting.trunk("acme").max_calls = Some(1);
        },
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 302 (Contact: <sip:+14155550100@198.51.100.21>)
        tandem -> acme2 INVITE
        acme2 -> tandem 302 (Contact: <sip:+14155550100@198.51.100.11>)
        tandem -> alice 480
        record [legs 3]
        ",
    );
}

#[test]
fn a_redirection_is_passed_to_the_caller_where_the_trunk_says_so() {
    play_in(
        |setting| setting.trunk("acme").redirects = Redirects::Pass,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 302 (Contact: <sip:+14155550199@moved.example>;q=0.5, <mailto:x@y.example>)
        tandem -> alice 302 [Contact: <sip:+14155550199@moved.example>]
        quiet globex
        record [status 302 | by callee]
        ",
    );
}

#[test]
fn a_redirection_is_refused_where_the_trunk_says_so() {
    play_in(
        |setting| {
            two_addresses(setting);
            setting.trunk("acme").redirects = Redirects::Refuse;
        },
        "
        bob registers
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 302 (Contact: <sip:bob@tandem.local>)
        tandem -> alice 480
        quiet bob acme2
        ",
    );
}
