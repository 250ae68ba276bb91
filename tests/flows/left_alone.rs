//! Whoever is transferred by a referrer that hangs up at once is left alone with a target that rings.

use crate::ladder::{play, play_in};
use crate::referring::{REFERRED, TOGETHER};

/// Bob hangs up while carol rings, hears how far it was, and that there is no more news (RFC 5589 §6.1). Alice waits.
const LEFT_ALONE: &str = "
    bob -> tandem BYE
    tandem -> bob 200 BYE
    tandem -> bob NOTIFY [Event ~ refer;id= | Subscription-State: terminated;reason=noresource | body SIP/2.0 180 Ringing]
    bob -> tandem 200 NOTIFY
    tandem -> alice INVITE [sdp PCMU opus G722 PCMA]
";

#[test]
fn a_referrer_that_hangs_up_at_once_is_gone_and_the_transfer_goes_on() {
    play(&format!(
        "{REFERRED}
        {LEFT_ALONE}
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        record 1 [closed | cause user:bob transferred user:alice to carol]
        media alice [from loop | to alice | send PCMU/0]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        quiet alice bob
        media alice [from carol | to alice | send PCMU/0 | receive PCMU/0]
        media carol [from alice | to carol | send PCMU/0 | receive PCMU/0]
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice BYE
        alice -> tandem 200
        "
    ));
}

#[test]
fn the_target_answers_while_whoever_was_left_alone_is_asked() {
    play(&format!(
        "{REFERRED}
        {LEFT_ALONE}
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        {TOGETHER}"
    ));
}

#[test]
fn whoever_was_left_alone_hears_what_the_target_sends_before_its_answer() {
    play(&format!(
        "{REFERRED}
        {LEFT_ALONE}
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        carol -> tandem 183 (sdp PCMU)
        media alice [from carol]
        carol -> tandem 486
        tandem -> alice BYE
        alice -> tandem 200
        "
    ));
}

#[test]
fn whoever_was_left_alone_hears_the_music_where_there_is_some() {
    play_in(
        |setting| setting.settings.media.hold_music = Some("music.wav".to_owned()),
        &format!(
            "{REFERRED}
            {LEFT_ALONE}
            alice -> tandem 200 (sdp PCMU)
            tandem -> alice ACK
            media alice [from loop]
            carol -> tandem 200 (sdp PCMU)
            tandem -> carol ACK
            media alice [from carol]
            carol -> tandem BYE
            tandem -> carol 200
            tandem -> alice BYE
            alice -> tandem 200
            "
        ),
    );
}

#[test]
fn whoever_was_left_alone_and_takes_no_new_media_is_let_go_at_the_answer() {
    play(&format!(
        "{REFERRED}
        {LEFT_ALONE}
        alice -> tandem 488
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> alice INVITE
        alice -> tandem 488
        tandem -> alice BYE
        tandem -> carol BYE
        alice -> tandem 200
        carol -> tandem 200
        "
    ));
}

/// What the target still has to say concerns nobody who takes no news.
#[test]
fn a_referrer_without_a_subscription_hears_nothing_after_its_bye() {
    play(&format!(
        "{REFERRED}
        bob -> tandem SUBSCRIBE (Event: refer | Expires: 0)
        tandem -> bob 200 SUBSCRIBE
        bob -> tandem BYE
        tandem -> bob 200 BYE
        quiet bob
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol CANCEL
        carol -> tandem 200 CANCEL
        carol -> tandem 487 INVITE
        "
    ));
}

#[test]
fn whoever_was_left_alone_is_told_of_the_failure() {
    play(&format!(
        "{REFERRED}
        {LEFT_ALONE}
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        carol -> tandem 486
        tandem -> alice BYE [Reason ~ cause=486]
        alice -> tandem 200
        record 2 [closed | status 486]
        "
    ));
}

#[test]
fn whoever_was_left_alone_may_hang_up() {
    play(&format!(
        "{REFERRED}
        {LEFT_ALONE}
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol CANCEL
        carol -> tandem 200 CANCEL
        carol -> tandem 487 INVITE
        record 2 [closed | status 487 | by caller]
        "
    ));
}

#[test]
fn whoever_was_called_and_left_alone_is_told_of_the_failure() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> alice 202
        tandem -> alice NOTIFY
        alice -> tandem 200
        tandem -> carol INVITE
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> alice NOTIFY
        alice -> tandem 200 NOTIFY
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        carol -> tandem 603
        tandem -> bob BYE [Reason ~ cause=603]
        bob -> tandem 200
        record 2 [closed | status 603]
        ",
    );
}

#[test]
fn whoever_was_left_alone_may_hold_before_the_target_answers() {
    play(&format!(
        "{REFERRED}
        {LEFT_ALONE}
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200 [sdp PCMU recvonly]
        alice -> tandem ACK
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> carol INVITE [sdp sendonly]
        carol -> tandem 200 (sdp PCMU recvonly)
        tandem -> carol ACK
        quiet alice
        media carol [from alice | to carol]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        record 2 [closed | status 200]
        "
    ));
}

/// A phone holds before it transfers: the held side may still be at that when the referrer hangs up.
#[test]
fn whoever_was_left_alone_in_the_midst_of_an_exchange_hears_the_tone_after_it() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200
        bob -> tandem ACK
        tandem -> alice INVITE [sdp sendonly]
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> bob 202 REFER
        tandem -> bob NOTIFY
        bob -> tandem 200 NOTIFY
        tandem -> carol INVITE
        carol -> tandem 180
        tandem -> bob NOTIFY
        bob -> tandem 200 NOTIFY
        bob -> tandem BYE
        tandem -> bob 200 BYE
        tandem -> bob NOTIFY
        bob -> tandem 200 NOTIFY
        quiet alice
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        tandem -> alice INVITE [sdp PCMU opus G722 PCMA | next sdp]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from loop | to alice | send PCMU/0]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        media alice [from carol]
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

/// No line of a description is ever taken back, whoever is talked to (RFC 3264 §8).
#[test]
fn a_line_that_was_added_while_the_target_rang_is_refused_there() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> bob 202 REFER
        tandem -> bob NOTIFY
        bob -> tandem 200 NOTIFY
        tandem -> carol INVITE
        bob -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob 100
        tandem -> alice INVITE [sdp audio first=PCMU; video VP8/99]
        alice -> tandem 200 (sdp PCMU; video VP8)
        tandem -> alice ACK
        tandem -> bob 200
        bob -> tandem ACK
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE [sdp audio first=PCMU; video refused | next sdp]
        alice -> tandem 200 (sdp PCMU; video VP8 refused)
        tandem -> alice ACK
        media alice [from carol]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        ",
    );
}

#[test]
fn whoever_is_transferred_keeps_its_sound_in_the_family_that_it_has() {
    play(
        "
        carol registers
        bob registers
        alice calls bob (sdp PCMU ip=2001:db8::aa)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp ip=2001:db8::1]
        alice -> tandem ACK
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> bob 202 REFER
        tandem -> bob NOTIFY
        bob -> tandem 200 NOTIFY
        tandem -> carol INVITE
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE [sdp first=PCMU ip=2001:db8::1]
        alice -> tandem 200 (sdp PCMU ip=2001:db8::aa)
        tandem -> alice ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        ",
    );
}
