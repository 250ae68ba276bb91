//! Transfers that a phone asks for by REFER (RFC 3515, RFC 5589), carried out by us.

use crate::ladder::{play, play_in};

/// Bob asks that alice be sent to carol, who rings.
pub const REFERRED: &str = "
    carol registers
    alice talks to bob (PCMU)
    bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
    tandem -> bob 202 REFER [no Refer-Sub]
    tandem -> bob NOTIFY [Event ~ refer;id= | Subscription-State ~ active;expires= | Content-Type ~ message/sipfrag | body SIP/2.0 100 Trying | Contact ~ 192.0.2.1]
    bob -> tandem 200 NOTIFY
    tandem -> carol INVITE [From ~ \"Alice\" <sip:+15550100001@tandem.local> | Referred-By: <sip:bob@tandem.local> | Max-Forwards: 68 | sdp first=PCMU]
    carol -> tandem 180
    tandem -> bob NOTIFY [Subscription-State ~ active | body SIP/2.0 180 Ringing]
    bob -> tandem 200 NOTIFY
";

/// Alice talks to carol, and hangs up.
pub const TOGETHER: &str = "
    alice -> tandem 200 (sdp PCMU)
    tandem -> alice ACK
    media alice [from carol | to alice | send PCMU/0 | receive PCMU/0]
    media carol [from alice | to carol | send PCMU/0 | receive PCMU/0]
    wait 2s
    alice -> tandem BYE
    tandem -> alice 200 BYE
    tandem -> carol BYE
    carol -> tandem 200 BYE
";

#[test]
fn the_called_side_transfers_the_caller() {
    play(&format!(
        "{REFERRED}
        media alice [from bob]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY [Subscription-State: terminated;reason=noresource | body SIP/2.0 200 OK]
        tandem -> bob BYE [Reason ~ cause=200]
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        record 1 [closed | status 200 | by callee | cause user:bob transferred user:alice to carol | leg 0 user:alice 200 | leg 0 reason transferred]
        tandem -> alice INVITE [sdp PCMU opus G722 PCMA]
        {TOGETHER}
        record 2 [closed | status 200 | talk 2s | caller user:bob | from +15550100001 | dialled carol | rule People | leg 0 user:alice 200 | leg 0 reason transferred by user:bob | leg 1 user:carol 200 | by caller]
        "
    ));
}

#[test]
fn the_caller_transfers_a_trunk_that_sees_nothing_of_it() {
    play(
        "
        carol registers
        alice calls +15550190000 (sdp PCMA)
        tandem -> acme INVITE
        acme -> tandem 200 (sdp PCMA)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem REFER (Refer-To: sip:carol@tandem.local)
        tandem -> alice 202
        tandem -> alice NOTIFY [body SIP/2.0 100 Trying]
        alice -> tandem 200 NOTIFY
        tandem -> carol INVITE [From ~ <sip:+15550190000@tandem.local>]
        quiet acme
        carol -> tandem 200 (sdp PCMA)
        tandem -> carol ACK
        tandem -> alice NOTIFY [body SIP/2.0 200 OK]
        tandem -> alice BYE
        alice -> tandem 200 NOTIFY
        alice -> tandem 200 BYE
        tandem -> acme INVITE [sdp first=PCMA | no Referred-By | no Replaces]
        acme -> tandem 200 (sdp PCMA)
        tandem -> acme ACK
        media acme [from carol]
        media carol [from acme]
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> carol BYE
        carol -> tandem 200
        record 1 [cause user:alice transferred trunk:acme to carol]
        record 2 [caller user:alice | from +15550190000 | leg 0 trunk:acme 200 | by caller]
        ",
    );
}

#[test]
fn the_target_is_called_with_the_referrers_rights() {
    play(
        "
        alice talks to bob (PCMU)
        bob -> tandem REFER (Refer-To: tel:+15550190000)
        tandem -> bob 202
        tandem -> bob NOTIFY
        bob -> tandem 200 NOTIFY
        tandem -> acme INVITE [no Referred-By]
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        record 2 [caller user:bob | rule One way | number +15550190000]
        ",
    );
}

#[test]
fn a_failure_leaves_the_call_as_it_was() {
    play(&format!(
        "{REFERRED}
        carol -> tandem 486
        tandem -> bob NOTIFY [Subscription-State ~ terminated | body SIP/2.0 486 Busy Here]
        bob -> tandem 200 NOTIFY
        media alice [from bob | to alice]
        media bob [from alice | to bob]
        record 2 [closed | status 486 | never answered]
        quiet alice
        bob -> tandem REFER (Refer-To: <sip:nobody@tandem.local>)
        tandem -> bob 202
        tandem -> bob NOTIFY [body SIP/2.0 100 Trying]
        tandem -> bob NOTIFY [body SIP/2.0 404 Not Found]
        bob -> tandem 200
        bob -> tandem 200
        bob -> tandem BYE
        tandem -> bob 200 BYE
        tandem -> alice BYE
        alice -> tandem 200 BYE
        record 3 [closed | status 404]
        "
    ));
}

#[test]
fn a_referrer_may_want_no_news() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local> | Refer-Sub: false | Require: norefersub)
        tandem -> bob 202 [Refer-Sub: false]
        tandem -> carol INVITE
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob BYE
        bob -> tandem 200
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

#[test]
fn a_referrer_that_takes_no_notify_has_its_transfer_all_the_same() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> bob 202
        tandem -> bob NOTIFY
        bob -> tandem 481 NOTIFY
        tandem -> carol INVITE
        carol -> tandem 180
        carol -> tandem 486
        quiet bob
        bob -> tandem BYE
        tandem -> bob 200 BYE
        tandem -> alice BYE
        alice -> tandem 200 BYE
        ",
    );
}

#[test]
fn a_referrer_may_prolong_and_end_its_subscription() {
    play(&format!(
        "{REFERRED}
        bob -> tandem SUBSCRIBE (Event: refer | Expires: 3600)
        tandem -> bob 200 SUBSCRIBE [Expires: 180]
        bob -> tandem SUBSCRIBE (Event: refer | Expires: 0)
        tandem -> bob 200 SUBSCRIBE [Expires: 0]
        carol -> tandem 486
        quiet bob
        bob -> tandem BYE
        tandem -> bob 200 BYE
        tandem -> alice BYE
        alice -> tandem 200 BYE
        "
    ));
}

#[test]
fn whoever_is_transferred_may_hang_up_before() {
    play(&format!(
        "{REFERRED}
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        tandem -> carol CANCEL
        bob -> tandem 200 BYE
        carol -> tandem 200 CANCEL
        carol -> tandem 487 INVITE
        record 1 [closed | by caller | cause the caller hung up]
        record 2 [closed | status 487 | cause the transferred side hung up]
        "
    ));
}

#[test]
fn whoever_does_not_take_the_new_media_is_let_go() {
    play(&format!(
        "{REFERRED}
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE
        alice -> tandem 488
        tandem -> alice BYE
        tandem -> carol BYE
        alice -> tandem 200
        carol -> tandem 200
        record 2 [status 200 | by gateway | cause new media]
        "
    ));
}

#[test]
fn a_glare_with_the_new_media_is_settled() {
    play(&format!(
        "{REFERRED}
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE
        alice -> tandem 491
        wait 5s
        tandem -> alice INVITE x+
        {TOGETHER}"
    ));
}

/// Bob holds, and carol answers before alice has heard of it: alice's answer comes to her new call.
const HELD_BEFORE_THE_MOVE: &str = "
    bob -> tandem re-INVITE (sdp PCMU sendonly)
    tandem -> bob 200
    bob -> tandem ACK
    tandem -> alice INVITE [sdp sendonly]
    carol -> tandem 200 (sdp PCMU)
    tandem -> carol ACK
    tandem -> bob NOTIFY
    tandem -> bob BYE
    bob -> tandem 200 NOTIFY
    bob -> tandem 200 BYE
";

#[test]
fn an_offer_of_the_old_call_that_meets_a_glare_is_not_made_again() {
    play(&format!(
        "{REFERRED}{HELD_BEFORE_THE_MOVE}
        alice -> tandem 491
        wait 5s
        tandem -> alice INVITE x+ [sdp sendrecv]
        {TOGETHER}"
    ));
    play(&format!(
        "{REFERRED}{HELD_BEFORE_THE_MOVE}
        alice -> tandem 491
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 INVITE [sdp PCMU]
        alice -> tandem ACK
        wait 5s
        quiet alice
        media alice [from carol | to alice | send PCMU/0 | receive PCMU/0]
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> carol BYE
        carol -> tandem 200 BYE
        "
    ));
}

#[test]
fn an_offer_of_the_old_call_that_is_refused_is_followed_by_that_of_the_new_one() {
    for refusal in ["488", "401 (WWW-Authenticate: Digest realm=\"x\", nonce=\"1\")", "422 (Min-SE: 4000)"] {
        play(&format!(
            "{REFERRED}{HELD_BEFORE_THE_MOVE}
            alice -> tandem {refusal}
            tandem -> alice INVITE
            {TOGETHER}"
        ));
    }
    play(&format!(
        "{REFERRED}{HELD_BEFORE_THE_MOVE}
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        tandem -> alice INVITE
        {TOGETHER}"
    ));
}

#[test]
fn lines_that_were_added_before_the_move_are_kept() {
    play(&format!(
        "{REFERRED}
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> alice 100
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8/99]
        bob -> tandem 200 (sdp PCMU; video VP8/99)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video VP8/99]
        alice -> tandem ACK
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE [sdp audio first=PCMU; video refused]
        {TOGETHER}"
    ));
}

#[test]
fn lines_that_are_being_added_give_way_to_the_move() {
    play(&format!(
        "{REFERRED}
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> alice 100
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8/99]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> alice 491 INVITE
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        bob -> tandem 487 INVITE
        tandem -> alice INVITE [sdp audio first=PCMU]
        {TOGETHER}"
    ));
}

#[test]
fn what_makes_no_sense_is_refused() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem REFER
        tandem -> alice 400 REFER
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local>, <sip:bob@tandem.local>)
        tandem -> alice 400 REFER
        alice -> tandem REFER (Refer-To: <http://example.com>)
        tandem -> alice 416 REFER
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local;method=BYE>)
        tandem -> alice 403 REFER
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local?Replaces=x>)
        tandem -> alice 400 REFER
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local> | Require: teleport)
        tandem -> alice 420 REFER [Unsupported: teleport]
        alice -> tandem REFER (Refer-To: <sip:bob@tandem.local?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>)
        tandem -> alice 202 REFER
        tandem -> alice NOTIFY [body SIP/2.0 100 Trying]
        tandem -> alice NOTIFY [Subscription-State ~ terminated | body ~ SIP/2.0 481]
        alice -> tandem 200
        alice -> tandem 200
        quiet alice bob
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> bob BYE
        bob -> tandem 200 BYE
        ",
    );
}

#[test]
fn a_trunk_transfers_nobody() {
    play(
        "
        bob registers
        acme -> tandem INVITE bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> acme 200
        acme -> tandem ACK
        acme -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> acme 403 REFER
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn there_is_nobody_to_transfer_in_an_echo() {
    play(
        "
        alice calls *43 (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem REFER (Refer-To: <sip:bob@tandem.local>)
        tandem -> alice 403 REFER
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn outside_of_a_call_nothing_is_transferred() {
    play(
        "
        alice -> tandem REFER bob (Refer-To: <sip:carol@tandem.local>)
        tandem -> alice 403 REFER
        stranger -> tandem REFER sip:bob@192.0.2.1 (Refer-To: <sip:carol@tandem.local>)
        tandem -> stranger 403 REFER
        record none
        ",
    );
}

#[test]
fn one_transfer_at_a_time_and_not_for_ever() {
    play_in(
        |setting| setting.settings.limits.transfers = 1,
        &format!(
            "{REFERRED}
            alice -> tandem REFER (Refer-To: <sip:dora@tandem.local>)
            tandem -> alice 491 REFER
            carol -> tandem 200 (sdp PCMU)
            tandem -> carol ACK
            tandem -> bob NOTIFY
            tandem -> bob BYE
            bob -> tandem 200 NOTIFY
            bob -> tandem 200 BYE
            tandem -> alice INVITE
            alice -> tandem 200 (sdp PCMU)
            tandem -> alice ACK
            carol -> tandem REFER (Refer-To: <sip:bob@tandem.local>)
            tandem -> carol 403 REFER
            alice -> tandem BYE
            tandem -> alice 200 BYE
            tandem -> carol BYE
            carol -> tandem 200 BYE
            "
        ),
    );
}

#[test]
fn no_new_call_is_begun_while_none_is_taken() {
    play(
        "
        alice talks to bob (PCMU)
        drain
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> bob 503 REFER
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_port_that_fails_fails_the_transfer() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        ports fail 1
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> bob 202
        tandem -> bob NOTIFY
        tandem -> bob NOTIFY [body ~ SIP/2.0 503]
        bob -> tandem 200
        bob -> tandem 200
        quiet alice carol
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_second_transfer_follows_the_first() {
    play(&format!(
        "{REFERRED}
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        dora registers
        carol -> tandem REFER (Refer-To: <sip:dora@tandem.local>)
        tandem -> carol 202
        tandem -> carol NOTIFY
        tandem -> dora INVITE [Max-Forwards: 67 | From ~ +15550100001]
        dora -> tandem 200 (sdp PCMU)
        tandem -> dora ACK
        tandem -> carol NOTIFY
        tandem -> carol BYE
        carol -> tandem 200
        carol -> tandem 200
        carol -> tandem 200
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from dora]
        dora -> tandem BYE
        tandem -> dora 200
        tandem -> alice BYE
        alice -> tandem 200
        record 3 [caller user:carol | leg 0 user:alice 200 | leg 1 user:dora 200]
        "
    ));
}
