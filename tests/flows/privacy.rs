//! Who is told who calls and who answers: P-Asserted-Identity and its kin, and Privacy (RFC 3323, RFC 3325).

use crate::ladder::{play, play_in};
use crate::world::Setting;
use tandem::config::identity::CallerIn;

/// acme is inside our trust domain, globex is not.
fn trusting(setting: &mut Setting) {
    let identity = &mut setting.trunk("acme").identity;
    (identity.trusted, identity.caller_in) = (true, CallerIn::Asserted);
    setting.trunk("globex").identity.caller_in = CallerIn::Asserted;
}

#[test]
fn phones_are_shown_who_calls_and_who_answers() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | P-Asserted-Identity: <sip:president@tandem.local>)
        tandem -> bob INVITE [P-Asserted-Identity: \"Alice\" <sip:+15550100001@tandem.local> | no Privacy]
        bob -> tandem 180 (P-Asserted-Identity: <sip:president@tandem.local>)
        tandem -> alice 180 [P-Asserted-Identity: <sip:bob@tandem.local>]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [P-Asserted-Identity: <sip:bob@tandem.local>]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_trusted_trunk_is_believed_and_a_stranger_is_not() {
    play_in(
        trusting,
        "
        alice registers
        acme -> tandem INVITE +15550100001 (From: <sip:switchboard@198.51.100.11> | P-Asserted-Identity: \"Ann\" <tel:+1-415-555-0100> | sdp PCMU)
        tandem -> alice INVITE [From ~ \"Ann\" <sip:+14155550100@tandem.local> | P-Asserted-Identity: \"Ann\" <sip:+14155550100@tandem.local>]
        alice -> tandem 486
        tandem -> acme 486
        record [from +14155550100]
        globex -> tandem INVITE +15550100001 (From: <sip:+14155550199@198.51.100.12> | P-Asserted-Identity: <tel:+14155550100> | sdp PCMU)
        tandem -> alice INVITE [From ~ <sip:+14155550199@tandem.local> | no P-Asserted-Identity]
        alice -> tandem 486
        tandem -> globex 486
        record [from +14155550199]
        ",
    );
}

#[test]
fn a_caller_who_wants_not_to_be_known() {
    play_in(
        trusting,
        "
        bob registers
        alice -> tandem INVITE bob (From: \"Anonymous\" <sip:anonymous@anonymous.invalid> | Privacy: id | sdp PCMU)
        tandem -> alice 401
        alice -> tandem INVITE bob (auth | From: \"Anonymous\" <sip:anonymous@anonymous.invalid> | Privacy: id | Subject: From Alice | sdp PCMU)
        tandem -> bob INVITE [From ~ \"Anonymous\" <sip:anonymous@anonymous.invalid> | Contact ~ sip:anonymous@ | Privacy: id | no P-Asserted-Identity | no Subject]
        bob -> tandem 486
        tandem -> alice 486
        record [caller user:alice | from +15550100001]
        alice -> tandem INVITE +14155550100 (auth | Privacy: user;header | sdp PCMU)
        tandem -> acme INVITE [From ~ <sip:anonymous@anonymous.invalid> | P-Asserted-Identity: \"Alice\" <sip:+15550100001@tandem.local> | Privacy: id]
        acme -> tandem 503
        tandem -> globex INVITE [From ~ <sip:anonymous@anonymous.invalid> | no P-Asserted-Identity | Privacy: id]
        globex -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE +14155550100 (auth | Privacy: none | sdp PCMU)
        tandem -> acme INVITE [From ~ <sip:+15550100001@tandem.local> | no Privacy]
        acme -> tandem 503
        tandem -> globex INVITE [P-Asserted-Identity: \"Alice\" <sip:+15550100001@tandem.local> | no Privacy]
        globex -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn what_a_trusted_trunk_keeps_private_stays_so() {
    play_in(
        trusting,
        "
        alice registers
        acme -> tandem INVITE +15550100001 (From: <sip:anonymous@anonymous.invalid> | P-Asserted-Identity: <tel:+14155550100> | Privacy: id | sdp PCMU)
        tandem -> alice INVITE [From ~ <sip:anonymous@anonymous.invalid> | no P-Asserted-Identity | Privacy: id]
        alice -> tandem 486
        tandem -> acme 486
        record [from +14155550100]
        acme -> tandem INVITE +15550100001 (Remote-Party-ID: <sip:4155550100@h>;party=calling;privacy=full | sdp PCMU)
        tandem -> alice INVITE [From ~ <sip:anonymous@anonymous.invalid>]
        alice -> tandem 486
        tandem -> acme 486
        record [from 4155550100]
        ",
    );
}

#[test]
fn who_answers_on_a_trunk_is_known_by_its_word_if_it_is_trusted() {
    play_in(
        trusting,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 180 (P-Asserted-Identity: \"Ann\" <sip:+14155550111@198.51.100.11>)
        tandem -> alice 180 [P-Asserted-Identity: \"Ann\" <sip:+14155550111@tandem.local>]
        acme -> tandem 180 (P-Asserted-Identity: <sip:+14155550112@h> | Privacy: id)
        acme -> tandem 503
        tandem -> globex INVITE
        globex -> tandem 183 (P-Asserted-Identity: <sip:+14155550111@198.51.100.12> | sdp PCMU)
        tandem -> alice 183 [no P-Asserted-Identity]
        globex -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn who_answers_privately_is_told_to_the_trusted_only() {
    play_in(
        trusting,
        "
        alice registers
        acme -> tandem INVITE +15550100001 (sdp PCMU)
        tandem -> alice INVITE
        alice -> tandem 180 (Privacy: id)
        tandem -> acme 180 [P-Asserted-Identity: \"Alice\" <sip:+15550100001@tandem.local> | Privacy: id]
        alice -> tandem 486
        tandem -> acme 486
        globex -> tandem INVITE +15550100001 (sdp PCMU)
        tandem -> alice INVITE
        alice -> tandem 180 (Privacy: id)
        tandem -> globex 180 [no P-Asserted-Identity | Privacy: id]
        alice -> tandem 486
        tandem -> globex 486
        ",
    );
}

#[test]
fn how_a_trunk_wants_the_number() {
    play_in(
        |setting| {
            setting.account_at_acme();
            let acme = &mut setting.trunk("acme").identity;
            (acme.caller_in, acme.from_user) = (CallerIn::Preferred, Some("4711".to_owned()));
            setting.trunk("globex").identity.caller_in = CallerIn::RemoteParty;
        },
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [From ~ \"Alice\" <sip:4711@198.51.100.11> | P-Preferred-Identity: \"Alice\" <sip:+15550100001@198.51.100.11> | no P-Asserted-Identity]
        acme -> tandem 503
        tandem -> globex INVITE [From ~ <sip:+15550100001@tandem.local> | Remote-Party-ID: \"Alice\" <sip:+15550100001@tandem.local>;party=calling;screen=yes;privacy=off]
        globex -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_user_may_prefer_the_name_and_nobody_elses() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | P-Preferred-Identity: <sip:alice@tandem.local>)
        tandem -> bob INVITE [From ~ \"Alice\" <sip:alice@tandem.local> | no P-Preferred-Identity]
        bob -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE bob (auth | sdp PCMU | P-Preferred-Identity: <sip:carol@tandem.local>)
        tandem -> bob INVITE [From ~ \"Alice\" <sip:+15550100001@tandem.local>]
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}
