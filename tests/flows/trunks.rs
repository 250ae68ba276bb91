//! Calls over trunks, out and in.

use crate::ladder::{play, play_in};
use crate::world::{Setting, trunk};
use tandem_codecs::Codec;

#[test]
fn a_call_goes_out() {
    play(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [uri sip:+14155550100@198.51.100.11 | To: <sip:+14155550100@198.51.100.11> | From ~ <sip:+15550100001@tandem.local> | sdp first=PCMU | Max-Forwards: 69]
        acme -> tandem 183 (sdp PCMU)
        tandem -> alice 183
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        record [status 200 | by callee | leg 1 trunk:acme 200 | number +14155550100]
        ",
    );
}

#[test]
fn a_trunk_has_its_own_codecs_and_packet_time() {
    play_in(
        |setting| {
            setting.trunk("acme").codecs = vec![Codec::Pcma, Codec::G722];
            setting.trunk("acme").ptime_ms = 30;
        },
        "
        alice calls +14155550100 (sdp PCMU G722)
        tandem -> acme INVITE [sdp PCMA/8 G722/9 ptime=30]
        acme -> tandem 200 (sdp G722)
        tandem -> acme ACK
        tandem -> alice 200 [sdp G722/9]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200
        ",
    );
}

/// Acme answers, and what follows is the next trunk's.
fn leads_on(answer: &str) {
    play(&format!(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem {answer}
        tandem -> globex INVITE [uri sip:+14155550100@198.51.100.12:5080]
        globex -> tandem 486
        tandem -> alice 486
        record [legs 3 | by callee | status 486 | leg 1 trunk:acme {answer} | leg 2 trunk:globex 486]
        "
    ));
}

fn ends(answer: &str, told: &str) {
    play(&format!(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem {answer}
        tandem -> alice {told}
        quiet globex
        record [legs 2 | by callee | leg 1 trunk:acme {answer}]
        "
    ));
}

#[test]
fn a_trunk_that_cannot_leads_to_the_next_and_a_person_who_will_not_does_not() {
    for answer in ["503", "500", "502", "408", "402"] {
        leads_on(answer);
    }
    for (answer, told) in [("486", "486"), ("600", "600"), ("603", "603"), ("404", "404"), ("480", "480")] {
        ends(answer, told);
    }
}

#[test]
fn a_plan_may_let_other_answers_lead_on() {
    play(
        "
        alice calls +15550180001 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 404
        tandem -> globex INVITE
        globex -> tandem 404
        tandem -> alice 404
        record [legs 3]
        ",
    );
}

#[test]
fn a_silent_trunk_leads_to_the_next() {
    play(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        wait 5s
        tandem -> acme INVITE x3
        tandem -> globex INVITE
        globex -> tandem 180
        tandem -> alice 180
        globex -> tandem 200 (sdp PCMU)
        tandem -> globex ACK
        tandem -> alice 200
        alice -> tandem ACK
        acme -> tandem 200 INVITE (sdp PCMU)
        tandem -> acme ACK
        tandem -> acme BYE
        acme -> tandem 200
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> globex BYE
        globex -> tandem 200
        record [leg 1 trunk:acme 408 | leg 2 trunk:globex 200]
        ",
    );
}

#[test]
fn a_trunk_that_rings_after_all_is_cancelled() {
    play(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        wait 20s
        tandem -> acme INVITE x5
        tandem -> globex INVITE x+
        tandem -> alice 504
        acme -> tandem 180
        tandem -> acme CANCEL
        acme -> tandem 200 CANCEL
        acme -> tandem 487 INVITE
        globex -> tandem 486
        ",
    );
}

#[test]
fn all_trunks_are_silent() {
    play(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        wait 5s
        tandem -> acme INVITE x3
        tandem -> globex INVITE
        wait 5s
        tandem -> globex INVITE x3
        tandem -> alice 504 [Reason ~ SIP;cause=408]
        record [status 504 | by gateway]
        wait 40s
        tandem -> acme INVITE x3
        tandem -> globex INVITE x3
        ",
    );
}

#[test]
fn early_media_of_a_trunk_that_fails_then() {
    play(
        "
        alice calls +14155550100 (sdp PCMU PCMA)
        tandem -> acme INVITE
        acme -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [sdp PCMU]
        acme -> tandem 503
        tandem -> globex INVITE
        globex -> tandem 183 (sdp PCMA)
        media alice [send PCMU/0 | from globex]
        globex -> tandem 200 (sdp PCMA)
        tandem -> globex ACK
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        media alice [send PCMU/0 | from globex]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> globex BYE
        globex -> tandem 200
        ",
    );
}

fn one_at_a_time(setting: &mut Setting) {
    setting.trunk("acme").max_calls = Some(1);
}

#[test]
fn a_full_trunk_is_passed_over() {
    play_in(
        one_at_a_time,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 180
        tandem -> alice 180
        bob calls +14155550101 (sdp PCMU)
        tandem -> globex INVITE
        globex -> tandem 486
        tandem -> bob 486
        bob -> tandem INVITE +15550190001 (auth | sdp PCMU)
        tandem -> bob 503
        record [status 503 | by gateway | cause Trunk Full]
        alice -> tandem CANCEL
        tandem -> alice 200
        tandem -> alice 487
        tandem -> acme CANCEL
        acme -> tandem 200 CANCEL
        acme -> tandem 487 INVITE
        bob -> tandem INVITE +15550190001 (auth | sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> bob 486
        ",
    );
}

#[test]
fn a_full_trunk_is_not_called_from_either() {
    play_in(
        one_at_a_time,
        "
        alice registers
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem INVITE sip:+15550100001@192.0.2.1 (sdp PCMU)
        tandem -> acme 503
        record [caller trunk:acme | status 503 | by gateway]
        acme -> tandem 486 INVITE
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_trunk_that_asks_who_we_are_is_told() {
    play_in(
        Setting::account_at_acme,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [no Authorization | Contact ~ sip:4711@192.0.2.1]
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"acme\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256)
        tandem -> acme INVITE [Proxy-Authorization ~ username=\"4711\" | Proxy-Authorization ~ algorithm=SHA-256]
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK [Proxy-Authorization ~ 4711]
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 401 (WWW-Authenticate: Digest realm=\"acme\", nonce=\"n2\")
        tandem -> acme BYE [Authorization ~ n2]
        acme -> tandem 200
        record [leg 1 trunk:acme 200]
        ",
    );
}

#[test]
fn a_trunk_that_does_not_believe_us_leads_to_the_next() {
    play_in(
        Setting::account_at_acme,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 401 (WWW-Authenticate: Digest realm=\"acme\", nonce=\"n1\")
        tandem -> acme INVITE [Authorization ~ 4711]
        acme -> tandem 401 (WWW-Authenticate: Digest realm=\"acme\", nonce=\"n2\")
        tandem -> acme INVITE [Authorization ~ n2]
        acme -> tandem 401 (WWW-Authenticate: Digest realm=\"acme\", nonce=\"n3\")
        tandem -> globex INVITE [no Authorization]
        globex -> tandem 486
        tandem -> alice 486
        record [leg 1 trunk:acme 401]
        ",
    );
}

#[test]
fn a_trunk_that_is_down_or_not_found_is_passed_over() {
    play_in(
        |setting| setting.trunk("acme").host = "nowhere.example".to_owned(),
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> globex INVITE
        globex -> tandem 503
        tandem -> alice 500 [Reason ~ SIP;cause=503]
        alice -> tandem INVITE +15550190001 (auth | sdp PCMU)
        tandem -> alice 503
        record [by gateway | cause Trunk Not Found]
        ",
    );
}

#[test]
fn a_number_is_written_as_a_uri_wants_it() {
    play_in(
        |setting| {
            setting.plan =
                "[[rule]]\nname = \"Tech prefix\"\nnumber = \"+.\"\nto = [{ trunk = \"acme\", prefix = \"77#\" }]\n"
                    .to_owned()
        },
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [uri sip:77%2314155550100@198.51.100.11 | To: <sip:77%2314155550100@198.51.100.11>]
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_trunk_lives_at_an_ipv6_address() {
    play_in(
        |setting| {
            setting.settings.trunks.push(trunk("sixth", "2001:db8::6", None));
            setting.plan = "[[rule]]\nname = \"Out\"\nnumber = \"+.\"\nto = [{ trunk = \"sixth\" }]\n".to_owned();
        },
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> sixth INVITE [uri sip:+14155550100@[2001:db8::6] | To: <sip:+14155550100@[2001:db8::6]> | Contact ~ @[2001:db8::1]:5060]
        sixth -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_call_comes_in_to_a_number() {
    play(
        "
        alice registers
        acme -> tandem INVITE sip:+15550100001@gw.example.net (sdp PCMA | From: <sip:+14155550100@198.51.100.11>)
        tandem -> acme 100
        tandem -> alice INVITE [From ~ <sip:+14155550100@tandem.local> | To: <sip:alice@tandem.local> | sdp first=PCMA]
        alice -> tandem 200 (sdp PCMA)
        tandem -> alice ACK
        tandem -> acme 200
        acme -> tandem ACK
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        record [caller trunk:acme | from +14155550100 | leg 0 trunk:acme 200 | leg 1 user:alice 200]
        ",
    );
}

#[test]
fn a_call_comes_in_from_another_port_of_the_carrier() {
    play_in(
        |setting| setting.trunk("acme").port = Some(5099),
        "
        alice registers
        acme -> tandem INVITE sip:+15550100001@192.0.2.1 (sdp PCMA | From: <sip:+14155550100@198.51.100.11>)
        tandem -> alice INVITE
        alice -> tandem 486
        tandem -> acme 486
        ",
    );
}

#[test]
fn a_carrier_that_knows_us_by_registration_calls_our_contact() {
    play_in(
        Setting::account_at_acme,
        "
        alice registers
        acme -> tandem INVITE sip:4711@192.0.2.1:5060 (sdp PCMA | From: <sip:+14155550100@acme.example> | To: <sip:+15550100001@acme.example>)
        tandem -> alice INVITE
        alice -> tandem 486
        tandem -> acme 486
        record [dialled +15550100001 | leg 1 user:alice 486]
        ",
    );
}

#[test]
fn we_register_and_are_called() {
    play_in(
        |setting| {
            setting.account_at_acme();
            setting.trunk("acme").register = true;
            setting.trunk("acme").domain = Some("acme.example".to_owned());
        },
        "
        tandem -> acme REGISTER [uri sip:acme.example | To: <sip:4711@acme.example> | Contact ~ 4711@192.0.2.1]
        acme -> tandem 401 (WWW-Authenticate: Digest realm=\"acme.example\", nonce=\"n1\", qop=\"auth\")
        tandem -> acme REGISTER [Authorization ~ username=\"4711\"]
        acme -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600)
        alice registers
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [From ~ @acme.example | To: <sip:+14155550100@acme.example>]
        acme -> tandem 486
        tandem -> alice 486
        end all
        tandem -> acme REGISTER [Expires: 0]
        acme -> tandem 200
        ",
    );
}

#[test]
fn credentials_for_others_do_not_make_a_carrier_a_stranger() {
    play_in(
        |setting| setting.trunk("acme").port = Some(5099),
        "
        alice registers
        acme -> tandem INVITE sip:+15550100001@192.0.2.1 (sdp PCMA | Authorization: Digest username=\"x\", realm=\"theirs\", nonce=\"n\", uri=\"sip:x\", response=\"0\")
        tandem -> alice INVITE
        alice -> tandem 486
        tandem -> acme 486
        record [caller trunk:acme]
        ",
    );
}

#[test]
fn a_carrier_that_forks_is_answered_once_and_hung_up_for_the_rest() {
    play(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 183 (sdp PCMU | fork one)
        tandem -> alice 183
        acme -> tandem 180 (fork two)
        tandem -> alice 180
        acme -> tandem 200 INVITE (sdp PCMU | fork two)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        acme -> tandem 200 INVITE (sdp PCMU | fork three)
        tandem -> acme ACK [To ~ three]
        tandem -> acme BYE [To ~ three]
        acme -> tandem 200 BYE
        quiet alice
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE [To ~ two]
        acme -> tandem 200 BYE
        ",
    );
}

#[test]
fn a_carrier_holds_and_the_phone_is_told() {
    play(
        "
        alice registers
        acme -> tandem INVITE sip:+15550100001@192.0.2.1 (sdp PCMA | From: <sip:+14155550100@acme.example>)
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMA)
        tandem -> alice ACK
        tandem -> acme 200
        acme -> tandem ACK
        acme -> tandem re-INVITE (sdp PCMA sendonly)
        tandem -> acme 200 [sdp PCMA recvonly]
        acme -> tandem ACK
        tandem -> alice INVITE [sdp sendonly]
        alice -> tandem 200 (sdp PCMA recvonly)
        tandem -> alice ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200
        ",
    );
}

/// RFC 3261 §22.2: also in a call that the carrier began.
#[test]
fn a_carrier_that_called_us_may_challenge_our_bye() {
    let challenge = "Proxy-Authenticate: Digest realm=\"acme\", nonce=\"x\", qop=\"auth\", algorithm=MD5";
    play_in(
        Setting::account_at_acme,
        &format!(
            "
            bob registers
            acme -> tandem INVITE bob (sdp PCMU)
            tandem -> bob INVITE
            bob -> tandem 200 (sdp PCMU)
            tandem -> bob ACK
            tandem -> acme 200
            acme -> tandem ACK
            bob -> tandem BYE
            tandem -> bob 200
            tandem -> acme BYE [no Proxy-Authorization]
            acme -> tandem 407 ({challenge})
            tandem -> acme BYE [Proxy-Authorization ~ username=\"4711\"]
            acme -> tandem 200
            "
        ),
    );
}

#[test]
fn a_trunks_packet_time_holds_both_ways() {
    play_in(
        |setting| setting.trunk("acme").ptime_ms = 30,
        "
        alice registers
        acme -> tandem INVITE +15550100001 (sdp PCMU)
        tandem -> alice INVITE [sdp first=PCMU ptime=20]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        tandem -> acme 200 [sdp PCMU ptime=30]
        acme -> tandem ACK
        media acme [ptime 30]
        media alice [ptime 20]
        acme -> tandem re-INVITE
        tandem -> acme 200 [sdp first=PCMU ptime=30]
        acme -> tandem ACK (sdp PCMU)
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}
