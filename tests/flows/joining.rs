//! Attended transfers: REFER with Replaces (RFC 3891), carried out by us.

use crate::ladder::play;
use crate::referring::REFERRED;

#[test]
fn two_calls_of_one_phone_are_joined() {
    play(
        "
        alice talks to bob (PCMU)
        alice keeps line one
        alice talks to carol (PCMA)
        alice keeps line two
        alice takes line one
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local?Replaces={escaped dialog of alice two}>)
        tandem -> alice 202
        tandem -> alice NOTIFY [body SIP/2.0 100 Trying]
        tandem -> bob INVITE [sdp first=PCMA]
        tandem -> alice BYE [Reason ~ transferred]
        tandem -> alice NOTIFY [Subscription-State ~ terminated | body SIP/2.0 200 OK]
        tandem -> alice BYE
        alice -> tandem 200
        alice -> tandem 200
        alice -> tandem 200
        alice -> tandem 200
        quiet carol
        record 1 [closed | by caller | cause user:alice transferred user:bob to carol]
        bob -> tandem 200 (sdp PCMA)
        tandem -> bob ACK
        media bob [from carol | to bob | send PCMA/8]
        media carol [from bob | to carol]
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> bob BYE
        bob -> tandem 200
        record 2 [closed | caller user:alice | legs 3 | leg 0 user:bob 200 | leg 0 reason transferred by user:alice | leg 1 user:carol 200 | leg 2 user:alice 200 | leg 2 reason its place was taken by user:bob]
        ",
    );
}

#[test]
fn a_call_that_came_in_and_one_that_went_out_are_joined_over_a_hold() {
    play(
        "
        acme -> tandem INVITE alice (sdp PCMU)
        tandem -> acme 480
        alice registers
        acme -> tandem INVITE alice (sdp PCMU)
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        tandem -> acme 200
        acme -> tandem ACK
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> acme INVITE [sdp sendonly]
        acme -> tandem 200 (sdp PCMU recvonly)
        tandem -> acme ACK
        alice keeps line one
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        alice keeps line two
        alice takes line one
        alice -> tandem REFER (Refer-To: <sip:bob@192.0.2.1:5060?Replaces={escaped dialog of alice two}>)
        tandem -> alice 202
        tandem -> alice NOTIFY
        tandem -> alice BYE
        tandem -> alice NOTIFY
        tandem -> alice BYE
        alice -> tandem 200
        alice -> tandem 200
        alice -> tandem 200
        alice -> tandem 200
        tandem -> acme INVITE [sdp first=PCMU | no Replaces | no Referred-By]
        tandem -> bob INVITE [sdp first=PCMU sendrecv]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK
        media acme [from bob | send PCMU/0 | receive PCMU/0]
        media bob [from acme | send PCMU/0 | receive PCMU/0]
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_call_that_still_rings_is_begun_anew_for_whoever_is_transferred() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        alice keeps line one
        alice calls carol (sdp PCMU)
        tandem -> carol INVITE
        carol -> tandem 180
        tandem -> alice 180
        alice keeps line two
        alice takes line one
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local?Replaces={escaped dialog of alice two}>)
        tandem -> alice 202 REFER
        tandem -> alice 480 INVITE
        tandem -> carol CANCEL
        tandem -> carol INVITE [From ~ <sip:bob@tandem.local>]
        tandem -> alice NOTIFY [body SIP/2.0 100 Trying]
        alice -> tandem 200
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        carol -> tandem 200 CANCEL
        carol -> tandem 487 INVITE
        tandem -> alice NOTIFY [body SIP/2.0 200 OK]
        tandem -> alice BYE
        alice -> tandem 200
        alice -> tandem 200
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> carol BYE
        carol -> tandem 200
        ",
    );
}

#[test]
fn whoever_takes_the_referrers_place_goes_on_with_the_call() {
    play(&format!(
        "{REFERRED}
        bob2 calls alice (sdp PCMU | Replaces: {{dialog of bob}})
        tandem -> bob2 200
        bob2 -> tandem ACK
        tandem -> bob BYE
        bob -> tandem 200
        carol -> tandem 486
        quiet alice bob bob2
        media alice [from bob2]
        bob2 -> tandem BYE
        tandem -> bob2 200
        tandem -> alice BYE
        alice -> tandem 200
        "
    ));
}

#[test]
fn whoever_takes_the_place_of_the_transferred_is_transferred() {
    play(&format!(
        "{REFERRED}
        alice2 calls bob (sdp PCMU | Replaces: {{dialog of alice}})
        tandem -> alice2 200
        alice2 -> tandem ACK
        tandem -> alice BYE
        alice -> tandem 200
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY [body SIP/2.0 200 OK]
        tandem -> bob BYE
        bob -> tandem 200
        bob -> tandem 200
        tandem -> alice2 INVITE
        alice2 -> tandem 200 (sdp PCMU)
        tandem -> alice2 ACK
        media alice2 [from carol]
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice2 BYE
        alice2 -> tandem 200
        "
    ));
}

#[test]
fn the_call_of_another_is_not_joined() {
    play(
        "
        alice talks to bob (PCMU)
        emil talks to carol (PCMU)
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local?Replaces={escaped dialog of emil}>)
        tandem -> alice 202
        tandem -> alice NOTIFY
        tandem -> alice NOTIFY [body ~ SIP/2.0 481]
        alice -> tandem 200
        alice -> tandem 200
        quiet bob carol emil
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> bob BYE
        bob -> tandem 200
        emil -> tandem BYE
        tandem -> emil 200
        tandem -> carol BYE
        carol -> tandem 200
        ",
    );
}

#[test]
fn whoever_was_called_and_takes_the_place_of_the_transferred_is_known_for_who_it_is() {
    play(
        "
        emil registers
        alice talks to bob (PCMU)
        alice keeps line one
        alice talks to carol (PCMU)
        alice keeps line two
        carol -> tandem REFER (Refer-To: <sip:emil@tandem.local>)
        tandem -> carol 202
        tandem -> carol NOTIFY
        carol -> tandem 200
        tandem -> emil INVITE
        alice takes line one
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local?Replaces={escaped dialog of alice two}>)
        tandem -> alice 202
        tandem -> alice NOTIFY
        tandem -> bob INVITE
        tandem -> alice BYE
        tandem -> alice NOTIFY
        tandem -> alice BYE
        alice -> tandem 200
        alice -> tandem 200
        alice -> tandem 200
        alice -> tandem 200
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        carol -> tandem BYE
        tandem -> carol 200 BYE
        tandem -> carol NOTIFY
        carol -> tandem 200 NOTIFY
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        emil -> tandem 603
        tandem -> bob BYE [Reason ~ cause=603]
        bob -> tandem 200
        record 3 [closed | status 603 | leg 0 user:bob 603]
        ",
    );
}
