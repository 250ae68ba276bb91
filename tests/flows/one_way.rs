//! Sound that only one of two hears.

use crate::ladder::play;

const HANG_UP: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

#[test]
fn one_who_never_speaks_is_told_of_and_written_down() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        media alice [expects sound]
        media bob [expects sound]
        sound of alice
        wait 4s
        no sound of bob 4s
        one way 0 of 0
        wait 500ms
        one way 1 of 1
        record [open | leg 0 heard | leg 1 unheard after 0s]
        {HANG_UP}
        one way 0 of 1
        record [closed | leg 0 heard | leg 1 unheard after 0s]
        "
    ));
}

#[test]
fn a_side_that_stops_and_comes_back_is_told_of_twice() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        sound of alice
        sound of bob
        wait 10s
        no sound of alice 4s
        wait 2s
        one way 1 of 1
        sound of alice
        one way 0 of 1
        wait 3s
        no sound of bob 4s
        wait 500ms
        one way 1 of 2
        {HANG_UP}
        record [closed | leg 0 unheard after 6s for 6s | leg 1 unheard after 11s]
        "
    ));
}

#[test]
fn two_who_stop_together_are_nobodys_loss() {
    play(
        "
        alice talks to bob (PCMU)
        sound of alice
        sound of bob
        wait 10s
        no sound of alice 4s
        wait 100ms
        no sound of bob 4s
        wait 10s
        one way 0 of 0
        sound of bob
        wait 400ms
        sound of alice
        wait 10s
        one way 0 of 0
        record [open | leg 0 heard | leg 1 heard]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn whoever_holds_need_not_be_heard() {
    play(
        "
        alice talks to bob (PCMU)
        sound of alice
        wait 4s
        no sound of bob 4s
        wait 1s
        one way 1 of 1
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200
        bob -> tandem ACK
        media alice [expects nothing]
        media bob [expects nothing]
        one way 0 of 1
        record [open | leg 1 unheard after 0s]
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        wait 20s
        one way 0 of 1
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn nobody_is_expected_before_the_answer() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 183 (sdp PCMU)
        tandem -> alice 183
        media alice [expects nothing]
        media bob [expects nothing]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        media alice [expects sound]
        media bob [expects sound]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn whoever_agreed_on_comfort_noise_may_pause() {
    play(
        "
        alice talks to bob (PCMU CN)
        media alice [expects pauses]
        media bob [expects pauses]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn an_echo_needs_to_be_spoken_to() {
    play(
        "
        alice calls *43 (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        media alice [expects sound]
        wait 4s
        no sound of alice 4s
        wait 500ms
        one way 1 of 1
        record [open | leg 0 unheard after 0s]
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn nobody_has_to_speak_to_an_announcement() {
    play(
        "
        alice calls *61 (sdp PCMU)
        file music.wav loaded
        tandem -> alice 200
        alice -> tandem ACK
        media alice [from loop | expects nothing]
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}
