//! Who may call, and as whom.

use crate::ladder::{play, play_in};
use tandem::config::settings::Network;

#[test]
fn a_caller_is_who_the_password_says_whatever_is_in_from() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (From: \"Bob\" <sip:bob@tandem.local> | sdp PCMU)
        tandem -> alice 401
        alice -> tandem INVITE bob (auth | From: \"Bob\" <sip:bob@tandem.local> | sdp PCMU)
        tandem -> bob INVITE [From ~ \"Alice\" <sip:+15550100001@tandem.local>]
        bob -> tandem 486
        tandem -> alice 486
        record [caller user:alice | from +15550100001]
        ",
    );
}

#[test]
fn a_wrong_password_calls_nobody() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (sdp PCMU)
        tandem -> alice 401
        alice -> tandem INVITE bob (auth wrong | sdp PCMU)
        tandem -> alice 403
        quiet bob
        record none
        ",
    );
}

#[test]
fn a_stranger_is_asked_who_it_is_unless_a_rule_lets_it_in() {
    play(
        "
        bob registers
        stranger -> tandem INVITE bob (sdp PCMU)
        tandem -> stranger 401
        record none
        stranger -> tandem INVITE doorbell (From: \"Ann\" <sip:ann@elsewhere.example> | sdp PCMU)
        tandem -> bob INVITE [From ~ \"Ann\" <sip:ann@elsewhere.example>]
        bob -> tandem 486
        tandem -> stranger 486
        record [caller anyone | from ann@elsewhere.example]
        ",
    );
}

#[test]
fn a_stranger_is_never_shown_as_one_of_us() {
    play(
        "
        bob registers
        stranger -> tandem INVITE doorbell (From: <sip:alice@elsewhere.example> | sdp PCMU)
        tandem -> bob INVITE [From ~ <sip:alice@elsewhere.example>]
        bob -> tandem 486
        tandem -> stranger 486
        stranger -> tandem INVITE doorbell (From: <sip:alice@203.0.113.9> | sdp PCMU)
        tandem -> bob INVITE [From ~ <sip:alice@anonymous.invalid>]
        bob -> tandem 486
        tandem -> stranger 486
        stranger -> tandem INVITE doorbell (From: <sip:alice@tandem.local> | sdp PCMU)
        tandem -> stranger 401
        stranger -> tandem INVITE doorbell (From: <sip:+14155550100@elsewhere.example> | sdp PCMU)
        tandem -> bob INVITE [From ~ <sip:+14155550100@tandem.local>]
        bob -> tandem 486
        tandem -> stranger 486
        ",
    );
}

#[test]
fn a_rule_says_what_number_is_shown() {
    play(
        "
        bob registers
        alice calls *72 (sdp PCMU)
        tandem -> bob INVITE [From ~ <sip:+15550199999@tandem.local> | Contact ~ +15550199999]
        bob -> tandem 486
        tandem -> alice 486
        record [from +15550100001 | rule Shown as the office]
        ",
    );
}

#[test]
fn names_are_quoted_and_users_escaped() {
    play(
        "
        bob registers
        stranger -> tandem INVITE doorbell (From: \"A \\\"B\\\" \\\\ C\" <sip:a%20b%3c%40@elsewhere.example> | sdp PCMU)
        tandem -> bob INVITE [From ~ \"A \\\"B\\\" \\\\ C\" <sip:a%20b%3C%40@elsewhere.example>]
        bob -> tandem 486
        tandem -> stranger 486
        ",
    );
}

#[test]
fn a_network_of_a_trunk_is_the_trunk_but_our_users_there_are_users() {
    play_in(
        |setting| {
            let network = Network { address: "192.0.2.0".parse().expect("an address"), bits: 24 };
            setting.trunk("acme").from = vec![network];
        },
        "
        alice registers
        bob -> tandem INVITE +15550100001 (From: <sip:+14155550100@acme.example> | sdp PCMU)
        tandem -> alice INVITE
        alice -> tandem 486
        tandem -> bob 486
        record [caller trunk:acme]
        bob calls alice (sdp PCMU)
        tandem -> alice INVITE
        alice -> tandem 486
        tandem -> bob 486
        record [caller user:bob]
        ",
    );
}

#[test]
fn a_nonce_that_is_too_old_is_renewed_without_a_refusal() {
    play(
        "
        alice -> tandem INVITE *43 (sdp PCMU)
        tandem -> alice 401
        wait 400s
        alice -> tandem INVITE *43 (auth | sdp PCMU)
        tandem -> alice 401 [WWW-Authenticate ~ stale=true]
        alice -> tandem INVITE *43 (auth | sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn an_address_of_another_domain_is_dialled_whole() {
    play(
        "
        alice calls sip:ann@elsewhere.example (sdp PCMU)
        tandem -> alice 404
        record [dialled ann@elsewhere.example | status 404]
        alice -> tandem INVITE tel:+14155550100 (auth | sdp PCMU)
        tandem -> acme INVITE [uri sip:+14155550100@198.51.100.11]
        acme -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE sip:tandem.local (auth | sdp PCMU)
        tandem -> alice 484
        record [status 484 | by gateway]
        ",
    );
}
