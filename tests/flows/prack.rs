//! Provisional answers that are acknowledged (RFC 3262), on either leg alone.

use crate::ladder::{play, play_in};
use tandem::config::settings::Prack;

/// Alice hangs up.
const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

#[test]
fn the_called_side_wants_to_be_acknowledged_and_the_caller_knows_nothing_of_it() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE [Supported ~ 100rel | no Require | Allow ~ PRACK]
        bob -> tandem 180 (Require: 100rel | RSeq: 7001)
        tandem -> bob PRACK [RAck ~ 7001 | no sdp | Max-Forwards: 70 | uri sip:secretof-bob-x@192.0.2.21:5060]
        tandem -> alice 180 [no Require | no RSeq]
        bob -> tandem 200 PRACK
        bob -> tandem 183 (sdp PCMU | Require: 100rel | RSeq: 7002)
        tandem -> bob PRACK [RAck ~ 7002]
        tandem -> alice 183 [sdp PCMU | no Require]
        bob -> tandem 200 PRACK
        media bob [send PCMU/0 | to bob | from alice]
        bob -> tandem 200 INVITE
        tandem -> bob ACK
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn the_caller_insists_and_the_called_side_knows_nothing_of_it() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180 [Require: 100rel | has RSeq | no sdp]
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [Require: 100rel | sdp PCMU]
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        media alice [send PCMU/0 | from bob]
        {GOODBYE}"
    ));
}

#[test]
fn a_caller_that_is_able_to_acknowledges_what_it_must_not_miss() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Supported: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180 [no Require | no RSeq]
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [Require: 100rel | sdp PCMU]
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn it_is_repeated_twice_as_late_each_time_until_it_is_acknowledged() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        wait 499ms
        quiet alice
        wait 1ms
        tandem -> alice 180
        wait 1s
        tandem -> alice 180
        wait 2s
        tandem -> alice 180
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        alice -> tandem again
        tandem -> alice 200 PRACK
        wait 30s
        quiet alice
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE [sdp PCMU]
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn ringing_goes_on_under_a_new_number() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        wait 149s
        quiet alice
        wait 1s
        tandem -> alice 180 [Require: 100rel | has RSeq]
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_caller_that_never_acknowledges_is_given_up() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        wait 31s
        tandem -> alice 180 x5
        wait 1s
        tandem -> alice 180
        tandem -> alice 504 INVITE
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        record [status 504 | by gateway | cause never acknowledged]
        ",
    );
}

#[test]
fn what_is_new_waits_for_its_acknowledgement() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        bob -> tandem 182
        bob -> tandem 183 (sdp PCMU)
        quiet alice
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        tandem -> alice 183 [sdp PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        quiet alice
        wait 500ms
        tandem -> alice 183
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn an_answer_does_not_wait_for_what_tells_nothing_of_media() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE [sdp PCMU]
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        alice -> tandem ACK
        wait 10s
        quiet alice
        {GOODBYE}"
    ));
}

#[test]
fn an_answer_that_waits_in_vain_ends_the_call() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        wait 32s
        tandem -> alice 183 x6
        tandem -> alice 504 INVITE
        tandem -> bob BYE
        bob -> tandem 200
        record [status 504 | by gateway | cause never acknowledged | never answered]
        ",
    );
}

#[test]
fn an_acknowledgement_of_nothing_is_told_so() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        alice -> tandem PRACK (RAck: 1 99 INVITE)
        tandem -> alice 481 PRACK
        alice -> tandem PRACK (RAck: nonsense)
        tandem -> alice 481 PRACK
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        alice -> tandem PRACK
        tandem -> alice 481 PRACK
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        alice -> tandem PRACK
        tandem -> alice 481 PRACK
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        ",
    );
}

#[test]
fn a_caller_that_left_the_offer_to_us_answers_it_early() {
    play(&format!(
        "
        bob registers
        alice calls bob (Require: 100rel)
        tandem -> bob INVITE [sdp opus G722 PCMA PCMU]
        bob -> tandem 183 (sdp PCMA)
        tandem -> alice 183 [sdp PCMA opus G722 PCMU | Require: 100rel]
        alice -> tandem PRACK (sdp PCMU)
        tandem -> alice 200 PRACK [no sdp]
        media alice [to alice | send PCMU/0 | from bob]
        media bob [to bob | send PCMA/8 | from alice]
        bob -> tandem 200 INVITE (sdp PCMA)
        tandem -> bob ACK
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        media alice [send PCMU/0 | from bob]
        {GOODBYE}"
    ));
}

#[test]
fn an_offer_that_insists_on_an_answer_goes_with_the_first_ringing() {
    play(&format!(
        "
        bob registers
        alice calls bob (Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180 [sdp opus G722 PCMA PCMU]
        bob -> tandem 200 INVITE (sdp PCMA)
        tandem -> bob ACK
        quiet alice
        alice -> tandem PRACK (sdp PCMA)
        tandem -> alice 200 PRACK
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        media alice [send PCMA/8 | from bob]
        {GOODBYE}"
    ));
}

#[test]
fn an_offer_of_ours_that_its_acknowledgement_does_not_answer_ends_the_call() {
    play(
        "
        bob registers
        alice calls bob (Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180 [sdp opus G722 PCMA PCMU]
        alice -> tandem PRACK
        tandem -> alice 200 PRACK
        tandem -> bob CANCEL
        tandem -> alice 480 INVITE
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        record [by gateway | cause media not agreed]
        ",
    );
}

#[test]
fn an_acknowledgement_may_offer_again() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Supported: 100rel)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [sdp PCMU]
        alice -> tandem PRACK (sdp PCMA port=4070)
        tandem -> alice 200 PRACK [sdp PCMA]
        media alice [send PCMA/8 | to 192.0.2.11:4070]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 INVITE [no sdp]
        alice -> tandem ACK
        media alice [send PCMA/8]
        {GOODBYE}"
    ));
}

#[test]
fn what_came_out_of_order_or_again_is_not_acknowledged() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180 (Require: 100rel | RSeq: 10)
        tandem -> bob PRACK [RAck ~ 10]
        tandem -> alice 180
        bob -> tandem 200 PRACK
        bob -> tandem 183 INVITE (Require: 100rel | RSeq: 12 | sdp PCMU)
        quiet bob alice
        bob -> tandem 182 INVITE (Require: 100rel | RSeq: 11)
        tandem -> bob PRACK [RAck ~ 11]
        tandem -> alice 182
        bob -> tandem 200 PRACK
        bob -> tandem 182 INVITE (Require: 100rel | RSeq: 11)
        quiet bob alice
        bob -> tandem 183 INVITE (Require: 100rel | RSeq: 12 | sdp PCMU)
        tandem -> bob PRACK [RAck ~ 12]
        tandem -> alice 183 [sdp PCMU]
        wait 500ms
        tandem -> bob PRACK [RAck ~ 12]
        bob -> tandem 200 PRACK
        bob -> tandem 200 INVITE
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn each_fork_counts_for_itself() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU PCMA)
        tandem -> bob INVITE
        bob -> tandem 183 (Require: 100rel | RSeq: 500 | sdp PCMU | fork one)
        tandem -> bob PRACK [RAck ~ 500 | To ~ one]
        tandem -> alice 183 [sdp PCMU]
        bob -> tandem 200 PRACK
        bob -> tandem 183 INVITE (Require: 100rel | RSeq: 40 | sdp PCMA port=4020 | fork two)
        tandem -> bob PRACK [RAck ~ 40 | To ~ two]
        bob -> tandem 200 PRACK
        media bob [send PCMA/8 | to 192.0.2.21:4020]
        bob -> tandem 180 INVITE (Require: 100rel | RSeq: 501 | fork one)
        tandem -> bob PRACK [RAck ~ 501 | To ~ one]
        tandem -> alice 180
        bob -> tandem 200 PRACK
        bob -> tandem 200 INVITE (fork one)
        tandem -> bob ACK [To ~ one]
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        media bob [send PCMU/0 | to bob]
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> bob INVITE [To ~ one | sdp sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        {GOODBYE}"
    ));
}

#[test]
fn a_fork_that_is_hung_up_sees_a_number_of_its_own() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180 (Require: 100rel | RSeq: 1 | fork one)
        tandem -> bob PRACK
        tandem -> alice 180
        bob -> tandem 200 PRACK
        bob -> tandem 200 INVITE (sdp PCMU | fork two)
        tandem -> bob ACK [To ~ two]
        tandem -> alice 200
        alice -> tandem ACK
        bob -> tandem 200 INVITE (sdp PCMU | fork one)
        tandem -> bob ACK [To ~ one]
        tandem -> bob BYE [To ~ one]
        bob -> tandem 200 BYE
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_trunk_may_have_to_and_may_not_be_asked() {
    play_in(
        |setting| {
            setting.trunk("acme").prack = Prack::Required;
            setting.trunk("globex").prack = Prack::Never;
        },
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE [Require: 100rel | Supported ~ 100rel]
        acme -> tandem 420 (Unsupported: 100rel)
        tandem -> alice 500
        bob registers
        acme -> tandem INVITE bob (sdp PCMU)
        tandem -> acme 421 [Require: 100rel]
        globex -> tandem INVITE bob (sdp PCMU | Require: 100rel)
        tandem -> globex 420 [Unsupported: 100rel]
        globex -> tandem INVITE bob (sdp PCMU | Supported: 100rel)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> globex 183 [no Require]
        bob -> tandem 486
        tandem -> globex 486
        acme -> tandem INVITE bob (sdp PCMU | Supported: 100rel)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> acme 180 [Require: 100rel]
        acme -> tandem PRACK
        tandem -> acme 200 PRACK
        bob -> tandem 486
        tandem -> acme 486
        ",
    );
}

#[test]
fn the_called_side_hangs_up_while_its_answer_waits() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice 480 INVITE
        record [status 480 | by callee | never answered]
        ",
    );
}

#[test]
fn the_caller_gives_up_while_the_answer_waits() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        tandem -> bob BYE
        bob -> tandem 200
        record [status 487 | by caller | never answered]
        ",
    );
}

#[test]
fn both_sides_acknowledge_and_the_caller_gives_up() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: 100rel)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU | Require: 100rel | RSeq: 9)
        tandem -> bob PRACK
        tandem -> alice 183
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        tandem -> bob CANCEL
        bob -> tandem 200 PRACK
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        ",
    );
}
