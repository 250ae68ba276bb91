//! From INVITE to the first words: provisional answers, early media, the answer and its ACK.

use crate::ladder::play;

#[test]
fn a_call_is_answered_talked_and_ended() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (sdp PCMU PCMA events)
        tandem -> alice 401 [no Contact]
        alice -> tandem INVITE bob (auth | sdp PCMU PCMA events)
        tandem -> alice 100
        tandem -> bob INVITE [Max-Forwards: 69 | sdp first=PCMU events | From ~ \"Alice\" <sip:+15550100001@tandem.local> | To: <sip:bob@tandem.local> | Contact ~ 192.0.2.1:5060]
        record [open | never ringing | caller user:alice | from +15550100001 | dialled bob | number bob | rule People | legs 2]
        bob -> tandem 100
        bob -> tandem 180
        tandem -> alice 180 [no sdp | phrase Ringing]
        wait 3s
        bob -> tandem 200 (sdp PCMU events)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU/0 events | Contact ~ 192.0.2.1:5060]
        media alice [to alice | send PCMU/0 | receive PCMU/0 | ptime 20 | events 100/8000 | from bob | silence 60s]
        media bob [to bob | send PCMU/0 | receive PCMU/0 | events 100/8000 | from alice | silence 60s]
        alice -> tandem ACK
        wait 5s
        record [open | ringing | answered | status 200]
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> bob BYE
        bob -> tandem 200
        media alice [closed]
        media bob [closed]
        record [closed | status 200 | by caller | cause the caller hung up | talk 5s | leg 0 user:alice 200 | leg 1 user:bob 200 | leg 0 codec PCMU/8000 | leg 1 codec PCMU/8000]
        ",
    );
}

#[test]
fn sides_without_a_common_codec_are_joined() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMA)
        tandem -> bob INVITE [sdp PCMA/8 opus G722 PCMU]
        bob -> tandem 200 (sdp opus)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMA/8]
        alice -> tandem ACK
        media alice [send PCMA/8 | receive PCMA/8]
        media bob [send opus/111 | receive opus/96 opus/111]
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice BYE
        alice -> tandem 200
        record [by callee | leg 0 codec PCMA/8000 | leg 1 codec opus/48000]
        ",
    );
}

#[test]
fn early_media_is_heard_and_the_answer_repeats_it() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU PCMA)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180 [no sdp]
        bob -> tandem 183 (sdp PCMA)
        tandem -> alice 183 [sdp PCMA]
        media alice [to alice | send PCMA/8 | from bob | silence never]
        media bob [to bob | send PCMA/8 | from alice | silence never]
        bob -> tandem 183 (sdp PCMA)
        bob -> tandem 180 (sdp PCMA)
        tandem -> alice 180 [same sdp]
        bob -> tandem 200 (sdp PCMA)
        tandem -> bob ACK
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        media alice [send PCMA/8 | silence 60s]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn an_answer_without_sdp_after_early_media_stands() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183 [sdp PCMU]
        bob -> tandem 200
        tandem -> bob ACK
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        media bob [send PCMU/0]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn the_final_answer_may_speak_otherwise_than_the_early_one() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU PCMA)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU | fork one)
        tandem -> alice 183 [sdp PCMU]
        bob -> tandem 200 (sdp PCMA port=4020 | fork two)
        tandem -> bob ACK
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        media alice [send PCMU/0]
        media bob [send PCMA/8 | to 192.0.2.21:4020]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn provisional_answers_that_tell_something_new_are_passed_on() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 183
        tandem -> alice 183 [no sdp]
        bob -> tandem 180
        tandem -> alice 180
        bob -> tandem 180
        bob -> tandem 183
        bob -> tandem 182
        tandem -> alice 182
        bob -> tandem 199
        wait 70s
        tandem -> alice 182
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
fn the_answer_is_repeated_until_it_is_acknowledged() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        wait 1600ms
        tandem -> alice 200 x2 [same sdp]
        alice -> tandem ACK
        wait 30s
        quiet alice
        bob -> tandem again
        tandem -> bob ACK
        alice -> tandem again
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn an_answer_that_nobody_acknowledges_ends_the_call() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        wait 31s
        tandem -> alice 200 x9
        wait 2s
        tandem -> alice 200
        tandem -> alice BYE x+
        tandem -> bob BYE x+
        alice -> tandem 481
        bob -> tandem 200
        record [status 200 | by gateway | cause never acknowledged]
        ",
    );
}

#[test]
fn a_caller_without_an_offer_is_offered() {
    play(
        "
        bob registers
        alice calls bob
        tandem -> bob INVITE [sdp opus G722 PCMA PCMU]
        bob -> tandem 183 (sdp PCMA)
        tandem -> alice 183 [no sdp]
        bob -> tandem 200 (sdp PCMA)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMA opus G722 PCMU]
        media bob [send PCMA/8]
        alice -> tandem ACK (sdp PCMU)
        media alice [to alice | send PCMU/0 | from bob]
        media bob [send PCMA/8 | from alice]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        record [leg 0 codec PCMU/8000]
        ",
    );
}

#[test]
fn an_offer_that_is_not_answered_in_the_ack_ends_the_call() {
    play(
        "
        bob registers
        alice calls bob
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMA)
        tandem -> bob ACK
        tandem -> alice 200 [sdp first=PCMA]
        alice -> tandem ACK
        tandem -> alice BYE
        tandem -> bob BYE
        alice -> tandem 200
        bob -> tandem 200
        record [by gateway | cause no answer in the ACK]
        ",
    );
}

#[test]
fn an_answer_that_has_nothing_of_the_offer_fails_the_call() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp GSM)
        tandem -> bob ACK
        tandem -> bob BYE [Reason ~ cause=488]
        bob -> tandem 200
        tandem -> alice 488
        record [status 488 | leg 1 user:bob 488]
        ",
    );
}

#[test]
fn packet_times_and_telephone_events_are_each_sides_own() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU events ptime=30 mux)
        tandem -> bob INVITE [sdp first=PCMU events ptime=20]
        bob -> tandem 200 (sdp PCMU ptime=10)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU events ptime=30 mux]
        alice -> tandem ACK
        media alice [ptime 30 | events 100/8000]
        media bob [ptime 10 | events none]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn a_video_line_is_refused_in_its_place() {
    play(
        "
        bob registers
        alice calls bob (sdp video VP8; PCMU)
        tandem -> bob INVITE [sdp video VP8; audio first=PCMU]
        bob -> tandem 200 (sdp video VP8 refused; PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp video refused; PCMU]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn two_families_and_two_transports_meet() {
    play(
        "
        dora registers
        emil calls dora (sdp PCMU)
        tandem -> dora INVITE [Contact ~ [2001:db8::1]:5060 | sdp first=PCMU ip=2001:db8::1]
        dora -> tandem 200 (sdp PCMU)
        tandem -> dora ACK
        tandem -> emil 200 [Contact ~ transport=tcp | sdp PCMU ip=192.0.2.1]
        emil -> tandem ACK
        media dora [to dora | from emil]
        dora -> tandem BYE
        tandem -> dora 200
        tandem -> emil BYE
        emil -> tandem 200
        ",
    );
}
