//! What passes from one leg to the other beside the call itself: Session-ID (RFC 7989), fields that rules let pass, and
//! nothing else.

use crate::ladder::{play, play_in};
use tandem::config::identity::HeaderPatterns;

#[test]
fn the_sessions_names_go_through_both_legs() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000)
        tandem -> bob INVITE [Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000]
        bob -> tandem 180 (Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86)
        tandem -> alice 180 [Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86]
        bob -> tandem 200 (sdp PCMU | Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86)
        tandem -> bob ACK [Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2]
        tandem -> alice 200 [Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86]
        alice -> tandem ACK
        alice -> tandem BYE (Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2)
        tandem -> alice 200 [Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86]
        tandem -> bob BYE [Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2]
        bob -> tandem 200
        record [leg 0 session ab30317f1a784dc48ff824d0d3715d86 | leg 1 session 47755a9de7794ba387653f2099600ef2]
        ",
    );
}

#[test]
fn a_name_is_made_for_an_end_that_gives_none() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE [Session-ID ~ ;remote=00000000000000000000000000000000]
        bob -> tandem 486 (Session-ID: 47755a9de7794ba387653f2099600ef2;remote=ab30317f1a784dc48ff824d0d3715d86)
        tandem -> alice 486 [Session-ID ~ 47755a9de7794ba387653f2099600ef2;remote=]
        alice -> tandem INVITE bob (auth | sdp PCMU | Session-ID: nonsense)
        tandem -> bob INVITE [Session-ID ~ ;remote=00000000000000000000000000000000]
        bob -> tandem 180
        tandem -> alice 180 [Session-ID ~ ;remote=]
        alice -> tandem CANCEL
        tandem -> alice 200
        tandem -> alice 487
        tandem -> bob CANCEL [Session-ID ~ ;remote=00000000000000000000000000000000]
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        ",
    );
}

#[test]
fn nothing_is_copied_without_a_rule() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | X-Ticket: 42 | Alert-Info: <http://ring.example/a.wav> | User-to-User: 00ff;encoding=hex | Subject: Lunch | Priority: urgent | Organization: Acme)
        tandem -> bob INVITE [Subject: Lunch | Priority: urgent | no X-Ticket | no Alert-Info | no User-to-User | no Organization]
        bob -> tandem 180 (X-Answer: 1)
        tandem -> alice 180 [no X-Answer]
        bob -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE bob (auth | sdp PCMU | Priority: whenever)
        tandem -> bob INVITE [no Priority]
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_rule_lets_fields_pass() {
    play_in(
        |setting| {
            setting.plan = r#"
[[rule]]
name = "With its papers"
from = ["users"]
dialled = "user"
to = [{ user = "{user}" }]
pass_headers = ["X-T*", "Alert-Info", "User-to-User"]
"#
            .to_owned();
        },
        "
        bob registers
        alice calls bob (sdp PCMU | X-Ticket: 42 | X-Other: 1 | Alert-Info: <http://ring.example/a.wav> | User-to-User: 00ff;encoding=hex)
        tandem -> bob INVITE [X-Ticket: 42 | Alert-Info: <http://ring.example/a.wav> | User-to-User: 00ff;encoding=hex | no X-Other]
        bob -> tandem 180 (X-Told: yes)
        tandem -> alice 180 [X-Told: yes]
        bob -> tandem 486 (X-Told: no)
        tandem -> alice 486 [X-Told: no]
        ",
    );
}

#[test]
fn every_trunk_on_the_way_has_to_let_them_pass() {
    play_in(
        |setting| {
            setting.trunk("acme").identity.pass_headers = HeaderPatterns::read_all(&["X-T*"]);
            setting.plan = r#"
[[rule]]
name = "On"
from = ["trunks"]
number = "1."
to = [{ trunk = "globex" }]

[[rule]]
name = "Out"
from = ["users"]
number = "1."
to = [{ trunk = "acme" }]
"#
            .to_owned();
        },
        "
        alice calls 100 (sdp PCMU | X-Ticket: 42)
        tandem -> acme INVITE [X-Ticket: 42]
        acme -> tandem 486
        tandem -> alice 486
        acme -> tandem INVITE 100 (sdp PCMU | X-Ticket: 42)
        tandem -> globex INVITE [no X-Ticket]
        globex -> tandem 486
        tandem -> acme 486
        ",
    );
}

#[test]
fn more_fields_than_the_limit_stay_behind() {
    play_in(
        |setting| {
            setting.settings.limits.passed_headers = 2;
            setting.trunk("acme").identity.pass_headers = HeaderPatterns::read_all(&["X-T*"]);
        },
        "
        alice calls +14155550100 (sdp PCMU | X-T1: 1 | X-T2: 2 | X-T3: 3)
        tandem -> acme INVITE [X-T1: 1 | X-T2: 2 | no X-T3]
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn fields_pass_in_what_is_said_while_two_talk_and_when_they_part() {
    play_in(
        |setting| {
            setting.settings.sip.pass_info = vec!["application/x-agent".to_owned()];
            setting.plan = r#"
[[rule]]
name = "With its papers"
from = ["users"]
dialled = "user"
to = [{ user = "{user}" }]
pass_headers = ["X-T*", "User-to-User"]
"#
            .to_owned();
        },
        "
        alice talks to bob (PCMU)
        alice -> tandem INFO (type: application/x-agent | body: wrap-up | X-Ticket: 42 | X-Other: 1)
        tandem -> bob INFO [X-Ticket: 42 | no X-Other]
        bob -> tandem 200 (X-Told: yes | X-Other: 1)
        tandem -> alice 200 INFO [X-Told: yes | no X-Other]
        bob -> tandem MESSAGE (type: text/plain | body: hi | X-Text: 7)
        tandem -> alice MESSAGE [X-Text: 7]
        alice -> tandem 200
        tandem -> bob 200 MESSAGE
        bob -> tandem BYE (User-to-User: 00ff;encoding=hex | X-Other: 1 | Reason: Q.850;cause=16)
        tandem -> bob 200
        tandem -> alice BYE [User-to-User: 00ff;encoding=hex | no X-Other | Reason ~ cause=16]
        alice -> tandem 200
        ",
    );
}

#[test]
fn nothing_passes_in_a_call_without_a_rule() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem MESSAGE (type: text/plain | body: hi | X-Ticket: 42)
        tandem -> bob MESSAGE [no X-Ticket]
        bob -> tandem 200 (X-Told: yes)
        tandem -> alice 200 MESSAGE [no X-Told]
        alice -> tandem BYE (X-Ticket: 42)
        tandem -> alice 200
        tandem -> bob BYE [no X-Ticket]
        bob -> tandem 200
        ",
    );
}

/// RFC 7989 §9: after a transfer or Replaces, both that are left name each other.
#[test]
fn a_session_is_named_by_those_who_are_in_it() {
    let [a, b, c] =
        ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccccccccccc"];
    let nil = "00000000000000000000000000000000";
    let talking = format!(
        "
        bob registers
        carol registers
        alice calls bob (sdp PCMU | Session-ID: {a};remote={nil})
        tandem -> bob INVITE [Session-ID: {a};remote={nil}]
        bob -> tandem 200 (sdp PCMU | Session-ID: {b};remote={a})
        tandem -> bob ACK
        tandem -> alice 200 [Session-ID: {b};remote={a}]
        alice -> tandem ACK
        "
    );
    play(&format!(
        "{talking}
        alice2 calls bob (sdp PCMU | Session-ID: {c};remote={nil} | Replaces: {{dialog of alice}})
        tandem -> alice2 200 [Session-ID: {b};remote={c}]
        alice2 -> tandem ACK
        tandem -> alice BYE
        alice -> tandem 200
        alice2 -> tandem BYE
        tandem -> alice2 200
        tandem -> bob BYE [Session-ID: {c};remote={b}]
        bob -> tandem 200
        "
    ));
    play(&format!(
        "{talking}
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local> | Refer-Sub: false)
        tandem -> bob 202
        tandem -> carol INVITE [Session-ID: {a};remote={nil}]
        carol -> tandem 200 (sdp PCMU | Session-ID: {c};remote={a})
        tandem -> carol ACK
        tandem -> bob BYE
        bob -> tandem 200
        tandem -> alice INVITE [Session-ID: {c};remote={a}]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice BYE [Session-ID: {c};remote={a}]
        alice -> tandem 200
        "
    ));
}
