//! Phones say where they are (RFC 3261 §10).

use crate::ladder::play;

#[test]
fn a_phone_registers_refreshes_and_leaves() {
    play(
        "
        alice -> tandem REGISTER
        tandem -> alice 401 [WWW-Authenticate ~ algorithm=SHA-256 | WWW-Authenticate ~ algorithm=MD5]
        alice -> tandem REGISTER (auth | Expires: 120)
        tandem -> alice 200 [Contact ~ expires=120]
        wait 60s
        alice -> tandem REGISTER (auth | Expires: 120)
        tandem -> alice 200 [Contact ~ expires=120]
        bob calls alice (sdp PCMU)
        tandem -> alice INVITE
        alice -> tandem 486
        tandem -> bob 486
        alice -> tandem REGISTER (auth | Contact: * | Expires: 0)
        tandem -> alice 200 [no Contact]
        bob -> tandem INVITE alice (auth | sdp PCMU)
        tandem -> bob 480
        record [status 480 | by gateway | legs 1]
        ",
    );
}

#[test]
fn a_contact_is_forgotten_when_it_expires() {
    play(
        "
        bob -> tandem REGISTER
        tandem -> bob 401
        bob -> tandem REGISTER (auth | Expires: 60)
        tandem -> bob 200
        wait 61s
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        ",
    );
}

#[test]
fn a_short_time_is_refused() {
    play(
        "
        bob -> tandem REGISTER
        tandem -> bob 401
        bob -> tandem REGISTER (auth | Expires: 10)
        tandem -> bob 423 [Min-Expires: 60]
        ",
    );
}

#[test]
fn a_wrong_password_and_a_wrong_name_are_refused() {
    play(
        "
        alice -> tandem REGISTER
        tandem -> alice 401
        alice -> tandem REGISTER (auth wrong)
        tandem -> alice 403
        alice -> tandem REGISTER
        tandem -> alice 401
        alice -> tandem REGISTER (auth mallory)
        tandem -> alice 403
        bob calls alice (sdp PCMU)
        tandem -> bob 480
        ",
    );
}

#[test]
fn nobody_registers_as_another() {
    play(
        "
        alice -> tandem REGISTER (as bob)
        tandem -> alice 401
        alice -> tandem REGISTER (as bob | auth)
        tandem -> alice 403
        ",
    );
}

#[test]
fn an_account_kept_as_an_md5_hash_is_asked_for_md5_only() {
    play(
        "
        carol -> tandem REGISTER
        tandem -> carol 401 [WWW-Authenticate ~ algorithm=MD5]
        carol -> tandem REGISTER (auth)
        tandem -> carol 200
        carol -> tandem INVITE *43 (sdp PCMU)
        tandem -> carol 401 [WWW-Authenticate ~ algorithm=MD5]
        carol -> tandem INVITE *43 (auth | sdp PCMU)
        tandem -> carol 200
        carol -> tandem ACK
        carol -> tandem BYE
        tandem -> carol 200
        ",
    );
}

#[test]
fn where_nobody_listens_a_call_fails_at_once_and_the_contact_stays() {
    play(
        "
        emil registers
        emil is gone
        alice calls emil (sdp PCMU)
        tandem -> alice 480 [Reason ~ SIP;cause=503]
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob is gone
        tandem -> alice 480 [Reason ~ SIP;cause=503]
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn what_is_not_taken_says_what_is() {
    play(
        "
        alice -> tandem OPTIONS tandem
        tandem -> alice 200 [Allow ~ INVITE | Allow ~ UPDATE | Accept: application/sdp]
        alice -> tandem NOTIFY bob
        tandem -> alice 405 [Allow ~ INVITE]
        alice -> tandem FROBNICATE bob
        tandem -> alice 501
        ",
    );
}

#[test]
fn who_is_no_longer_a_user_has_no_phones() {
    play(
        "
        bob registers
        bob is no user
        alice calls bob (sdp PCMU)
        tandem -> alice 404
        quiet bob
        bob is a user again
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> alice 480
        ",
    );
}

#[test]
fn a_cancel_of_nothing_and_noise_change_nothing() {
    play(
        "
        alice -> tandem noise
        alice calls *43 (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        wait 60s
        alice -> tandem CANCEL
        tandem -> alice 481 CANCEL
        ",
    );
}
