//! Ends of our own: echo, sound files, refusals.

use crate::ladder::play;

#[test]
fn an_echo() {
    play(
        "
        alice calls *43 (sdp PCMU)
        tandem -> alice 200 [sdp PCMU/0]
        alice -> tandem ACK
        media alice [to alice | send PCMU/0 | receive PCMU/0 | from echo]
        wait 4s
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200 [sdp recvonly]
        alice -> tandem ACK
        media alice [send nothing]
        alice -> tandem re-INVITE (sdp PCMA)
        tandem -> alice 200
        alice -> tandem ACK
        media alice [send PCMA/8 | from echo]
        alice -> tandem BYE
        tandem -> alice 200
        record [status 200 | by caller | talk 4s | legs 2 | leg 1 echo 200]
        ",
    );
}

#[test]
fn an_echo_for_a_caller_without_an_offer() {
    play(
        "
        alice calls *43
        tandem -> alice 200 [sdp opus G722 PCMA PCMU]
        alice -> tandem ACK (sdp PCMA)
        media alice [to alice | send PCMA/8 | receive PCMA/8 | from echo]
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn a_file_is_played_to_its_end() {
    play(
        "
        alice calls *60 (sdp PCMU)
        quiet alice
        file closed.wav loaded
        tandem -> alice 200
        alice -> tandem ACK
        media alice [send PCMU/0 | receive PCMU/0 | from clip]
        wait 2s
        clip of alice ends
        tandem -> alice BYE
        alice -> tandem 200
        record [status 200 | by gateway | cause the announcement was over | leg 1 play:closed.wav 200 | talk 2s]
        ",
    );
}

#[test]
fn a_file_is_played_until_the_caller_hangs_up() {
    play(
        "
        alice calls *61 (sdp PCMU)
        file music.wav loaded
        tandem -> alice 200
        alice -> tandem ACK
        media alice [receive PCMU/0 | from loop | silence 1800s]
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn a_file_that_is_not_there() {
    play(
        "
        alice calls *60 (sdp PCMU)
        file closed.wav missing
        tandem -> alice 500 [phrase Announcement Not Found]
        record [status 500 | by gateway | leg 1 play:closed.wav 500 | leg 1 reason missing]
        ",
    );
}

#[test]
fn a_caller_who_leaves_while_the_file_is_read() {
    play(
        "
        alice calls *60 (sdp PCMU)
        alice -> tandem CANCEL
        tandem -> alice 200
        tandem -> alice 487
        file closed.wav loaded
        record [status 487 | by caller]
        ",
    );
}

#[test]
fn a_rule_refuses() {
    play(
        "
        alice calls *66 (sdp PCMU)
        tandem -> alice 603 [phrase Not from here]
        record [status 603 | by gateway | cause Not from here | rule Barred | legs 1 | never answered]
        ",
    );
}
