//! Codes by which users set up their telephones, as the built-in dialplan has them.

use crate::ladder::play_in;
use crate::world::Setting;

/// The plan of a gateway that nobody has configured.
fn first(setting: &mut Setting) {
    setting.plan = include_str!("../../dialplans/first.toml").to_owned();
}

#[test]
fn a_forward_is_set_up_confirmed_and_taken_back() {
    play_in(
        first,
        "
        bob registers
        carol registers
        alice registers
        bob calls *72carol (sdp PCMU)
        tandem -> bob 200 [sdp PCMU/0 sendrecv]
        bob -> tandem ACK
        media bob [send PCMU/0 | receive PCMU/0 | from clip]
        wait 2s
        clip of bob ends
        tandem -> bob BYE
        bob -> tandem 200
        record [status 200 | rule Forward all calls | legs 2 | leg 1 forward:always 200 | cause the announcement was over]
        alice calls bob (sdp PCMU)
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        bob -> tandem INVITE *73 (auth | sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        clip of bob ends
        tandem -> bob BYE
        bob -> tandem 200
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn forwards_when_busy_and_without_answer() {
    play_in(
        first,
        "
        bob registers
        carol registers
        bob calls *90carol (sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        bob -> tandem INVITE *52carol*15 (auth | sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 181
        tandem -> carol INVITE [Diversion ~ user-busy]
        carol -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        wait 15s
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        tandem -> alice 181
        tandem -> carol INVITE [Diversion ~ no-answer]
        carol -> tandem 486
        tandem -> alice 486
        bob -> tandem INVITE *91 (auth | sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        bob -> tandem INVITE *53 (auth | sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn do_not_disturb_on_and_off() {
    play_in(
        first,
        "
        bob registers
        bob calls *78 (sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        quiet bob
        bob -> tandem INVITE *79 (auth | sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn forwards_that_are_not_taken() {
    play_in(
        first,
        "
        bob registers
        bob calls *72nobody (sdp PCMU)
        tandem -> bob 403
        record [status 403 | cause the dialplan doesn't let the caller call nobody]
        bob -> tandem INVITE *72bob (auth | sdp PCMU)
        tandem -> bob 482
        bob -> tandem INVITE *72 (auth | sdp PCMU)
        tandem -> bob 484
        bob -> tandem INVITE *72*73 (auth | sdp PCMU)
        tandem -> bob 403
        bob -> tandem INVITE *52alice*2 (auth | sdp PCMU)
        tandem -> bob 404
        store fails
        bob -> tandem INVITE *78 (auth | sdp PCMU)
        tandem -> bob 500
        record [status 500 | cause the disk is full]
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn nobody_changes_a_setting_through_a_forward() {
    play_in(
        |setting| {
            first(setting);
            setting.plan.push_str(
                "\n[[rule]]\nname = \"Boss\"\nnumber = \"700\"\nto = [{ user = \"carol\" }, { do_not_disturb = true }]\n",
            );
        },
        "
        bob forwards always to *73
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        bob forwards always to 700
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> alice 181
        tandem -> alice 480
        ",
    );
}
