//! Digits that are pressed in a call: telephone-events (RFC 4733), INFO requests and tones, each side in its own way, and
//! the other bodies of INFO (RFC 6086).

use crate::ladder::{play, play_in};
use tandem::config::settings::Dtmf;

/// Alice has telephone-events, bob hasn't.
const MIXED: &str = "
    bob registers
    alice calls bob (sdp PCMU events)
    tandem -> bob INVITE
    bob -> tandem 200 (sdp PCMU)
    tandem -> bob ACK
    tandem -> alice 200
    alice -> tandem ACK
";

const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200 BYE
    tandem -> bob BYE
    bob -> tandem 200 BYE
";

#[test]
fn info_becomes_an_event_where_the_other_side_takes_events() {
    play(&format!(
        "{MIXED}
        bob -> tandem INFO (type: application/dtmf-relay | body: Signal=5)
        tandem -> bob 200 INFO
        bob -> tandem INFO (type: Application/DTMF; charset=utf-8 | body: 11)
        tandem -> bob 200 INFO
        media alice [dialled 5#]
        quiet alice
        {GOODBYE}"
    ));
}

#[test]
fn a_side_without_events_is_told_by_tones_and_its_own_are_heard() {
    play(&format!(
        "{MIXED}
        media bob [tones both | events none]
        media alice [tones none | events 100/8000]
        digit 7 of alice
        digit 8 of bob
        alice -> tandem INFO (type: application/dtmf | body: *)
        tandem -> alice 200 INFO
        media bob [dialled *]
        media alice [dialled nothing]
        quiet bob
        quiet alice
        {GOODBYE}"
    ));
}

#[test]
fn a_side_without_events_that_informs_is_informed() {
    play(&format!(
        "{MIXED}
        media bob [tones both]
        bob -> tandem INFO (type: application/dtmf-relay | body: Signal=5)
        tandem -> bob 200 INFO
        media alice [dialled 5]
        media bob [tones none | events none]
        digit 7 of alice
        tandem -> bob INFO [body ~ Signal=7]
        bob -> tandem 200
        {GOODBYE}"
    ));
}

#[test]
fn tones_between_two_without_events_are_left_alone() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        media alice [tones sent]
        media bob [tones sent]
        bob -> tandem INFO (type: application/dtmf-relay | body: Signal=5)
        tandem -> bob 200 INFO
        media alice [dialled 5 | tones both]
        quiet alice
        {GOODBYE}"
    ));
}

#[test]
fn events_between_two_that_take_them_are_the_workers_affair() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU events)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU events)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        media bob [events 100/8000]
        digit 7 of alice
        media bob [dialled nothing]
        quiet bob
        {GOODBYE}"
    ));
}

fn over_acme(dtmf: Dtmf, ladder: &str) {
    play_in(
        |setting| setting.trunk("acme").dtmf = dtmf,
        &format!(
            "
            alice calls +15550190000 (sdp PCMU events)
            tandem -> acme INVITE
            acme -> tandem 200 (sdp PCMU events)
            tandem -> acme ACK
            tandem -> alice 200
            alice -> tandem ACK
            {ladder}
            acme -> tandem BYE
            tandem -> acme 200
            tandem -> alice BYE
            alice -> tandem 200
            "
        ),
    );
}

#[test]
fn a_trunk_may_want_info_only() {
    over_acme(
        Dtmf::Info,
        "
        media acme [events none]
        digit 1 of alice
        tandem -> acme INFO [body ~ Signal=1]
        acme -> tandem 200
        digit 2 of acme
        quiet alice
        ",
    );
}

#[test]
fn tones_become_info_and_info_becomes_tones() {
    play_in(
        |setting| setting.trunk("acme").dtmf = Dtmf::Info,
        "
        alice calls +15550190000 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 200 (sdp PCMU events)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        media alice [tones both]
        media acme [tones none | events none]
        digit 1 of alice
        tandem -> acme INFO [Content-Type: application/dtmf-relay | body ~ Signal=1 | body ~ Duration=100]
        acme -> tandem 200
        acme -> tandem INFO (type: application/dtmf-relay | body: Signal=9)
        tandem -> acme 200 INFO
        media alice [dialled 9]
        quiet alice
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

#[test]
fn a_trunk_may_want_tones_only() {
    play_in(
        |setting| setting.trunk("acme").dtmf = Dtmf::Inband,
        "
        alice calls +15550190000 (sdp PCMU events)
        tandem -> acme INVITE [body !~ telephone-event]
        acme -> tandem 200 (sdp PCMU events)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        media acme [tones both | events none]
        media alice [tones none | events 100/8000]
        digit 2 of acme
        digit 1 of alice
        quiet acme
        quiet alice
        acme -> tandem INFO (type: application/dtmf-relay | body: Signal=B)
        tandem -> acme 200 INFO
        media alice [dialled B]
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

#[test]
fn a_trunk_may_want_events_only() {
    over_acme(
        Dtmf::Rfc4733,
        "
        media acme [events 100/8000]
        alice -> tandem INFO (type: application/dtmf-relay | body: Signal=1)
        tandem -> alice 200 INFO
        digit 2 of alice
        media acme [dialled 1]
        quiet acme
        ",
    );
}

#[test]
fn a_digit_before_the_answer_goes_to_whoever_is_heard() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU events)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem INFO (type: application/dtmf | body: 1)
        tandem -> alice 200 INFO
        bob -> tandem 183 (sdp PCMU events)
        tandem -> alice 183
        alice -> tandem INFO (type: application/dtmf | body: 2)
        tandem -> alice 200 INFO
        media bob [dialled 2]
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        ",
    );
}

#[test]
fn a_digit_that_finds_the_ring_full_is_dialled_again() {
    play(&format!(
        "{MIXED}
        ring full for dial 1
        bob -> tandem INFO (type: application/dtmf | body: 5)
        tandem -> bob 200 INFO
        media alice [dialled nothing]
        wait 200ms
        media alice [dialled 5]
        {GOODBYE}"
    ));
}

#[test]
fn what_is_no_digit_is_answered_properly() {
    play(&format!(
        "{MIXED}
        bob -> tandem INFO (type: application/dtmf-relay | body: Signal=hf)
        tandem -> bob 200 INFO
        bob -> tandem INFO (type: application/dtmf-relay | body: Signal=seven)
        tandem -> bob 400 INFO
        bob -> tandem INFO
        tandem -> bob 200 INFO
        bob -> tandem INFO (Info-Package: weather | type: text/plain | body: rain)
        tandem -> bob 469 INFO [empty Recv-Info]
        bob -> tandem INFO (type: application/media_control+xml | body: <x/>)
        tandem -> bob 415 INFO [Accept: application/dtmf-relay, application/dtmf]
        media alice [dialled !]
        quiet alice
        {GOODBYE}"
    ));
}

#[test]
fn a_flash_goes_on_in_info() {
    over_acme(
        Dtmf::Info,
        "
        digit ! of alice
        tandem -> acme INFO [body ~ Signal=hf | body ~ Duration=100]
        acme -> tandem 200
        alice -> tandem INFO (type: application/dtmf-relay | body: Signal=16)
        tandem -> alice 200 INFO
        tandem -> acme INFO [body ~ Signal=hf | body ~ Duration=160]
        acme -> tandem 200
        ",
    );
}

#[test]
fn a_body_passes_where_a_rule_says_so() {
    play_in(
        |setting| setting.settings.sip.pass_info = vec!["application/media_control+xml".to_owned()],
        &format!(
            "{MIXED}
            bob -> tandem INFO (type: application/media_control+xml | body: <refresh/>)
            tandem -> alice INFO [body <refresh/> | Content-Type: application/media_control+xml]
            alice -> tandem 200
            tandem -> bob 200 INFO
            bob -> tandem INFO (type: text/plain | body: x)
            tandem -> bob 415 INFO [Accept ~ media_control]
            {GOODBYE}"
        ),
    );
}
