//! Texts outside calls (RFC 3428): to phones that are there, to users who are away, to trunks.

use crate::ladder::{play, play_in};

#[test]
fn a_text_goes_to_all_phones_and_the_first_that_takes_it_settles_it() {
    play(
        "
        bob registers
        bob2 registers
        alice -> tandem MESSAGE bob (type: text/plain;charset=utf-8 | body: hello)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain;charset=utf-8 | Subject: Lunch | body: hello)
        tandem -> bob MESSAGE [body hello | Content-Type: text/plain;charset=utf-8 | Subject: Lunch | Max-Forwards: 69]
        tandem -> bob2 MESSAGE [body hello | From ~ \"Alice\" <sip:+15550100001@tandem.local> | no Contact | no Date]
        bob2 -> tandem 200
        tandem -> alice 200
        bob -> tandem 415
        record none
        letters 0
        ",
    );
}

#[test]
fn the_sender_is_who_signed() {
    play(
        "
        bob registers
        alice -> tandem MESSAGE bob (From: \"Bob\" <sip:bob@tandem.local> | type: text/plain | body: hello)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | From: \"Bob\" <sip:bob@tandem.local> | P-Asserted-Identity: <sip:bob@x> | type: text/plain | body: hi)
        tandem -> bob MESSAGE [From ~ sip:+15550100001@tandem.local | P-Asserted-Identity ~ sip:+15550100001@tandem.local]
        bob -> tandem 200
        tandem -> alice 200
        alice -> tandem MESSAGE bob (type: text/plain | body: hello)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth wrong | type: text/plain | body: hello)
        tandem -> alice 403
        stranger -> tandem MESSAGE bob (type: text/plain | body: buy)
        tandem -> stranger 401
        stranger -> tandem MESSAGE doorbell (type: text/plain | body: ding)
        tandem -> bob MESSAGE [From ~ sip:stranger@elsewhere.example | body ding]
        bob -> tandem 200
        tandem -> stranger 200
        ",
    );
}

#[test]
fn texts_for_a_user_who_is_away_come_later_in_their_order() {
    play(
        "
        alice -> tandem MESSAGE bob (type: text/plain | body: one)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: one)
        tandem -> alice 202
        alice -> tandem MESSAGE bob (auth | type: message/cpim | body: two)
        tandem -> alice 202
        letters 2
        wait 20m
        bob registers
        tandem -> bob MESSAGE [body one | Date ~ GMT | From ~ sip:+15550100001@tandem.local]
        # It waits for its turn.
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: three)
        tandem -> alice 202
        quiet bob
        bob -> tandem 200
        tandem -> bob MESSAGE [body two | Content-Type: message/cpim]
        bob -> tandem 202
        tandem -> bob MESSAGE [body three]
        bob -> tandem 200
        letters 0
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: four)
        tandem -> bob MESSAGE [body four]
        bob -> tandem 200
        tandem -> alice 200
        ",
    );
}

#[test]
fn a_phone_that_does_not_answer_is_written_to_by_way_of_the_store() {
    play(
        "
        bob registers
        alice -> tandem MESSAGE bob (type: text/plain | body: hello)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: hello)
        tandem -> bob MESSAGE x+
        wait 9s
        tandem -> bob MESSAGE x+
        tandem -> alice 202
        tandem -> bob NOTIFY x+ [body ~ Messages-Waiting: yes]
        bob -> tandem 200
        letters 1
        # At its next sign of life.
        bob registers
        tandem -> bob MESSAGE [body hello | Date ~ GMT]
        bob -> tandem 200
        tandem -> bob NOTIFY [body ~ Messages-Waiting: no]
        bob -> tandem 200
        letters 0
        ",
    );
}

#[test]
fn a_phone_that_wants_no_texts_is_not_asked_at_each_registration() {
    play(
        "
        alice -> tandem MESSAGE bob (type: text/plain | body: one)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: one)
        tandem -> alice 202
        alice -> tandem MESSAGE bob (auth | type: image/png | body: two)
        tandem -> alice 202
        bob registers
        tandem -> bob MESSAGE [body one]
        bob -> tandem 405
        tandem -> bob MESSAGE [body two]
        bob -> tandem 405
        letters 2
        # What stays is told, to a phone that didn't subscribe.
        tandem -> bob NOTIFY [Event: message-summary | body ~ Text-Message: 2/0]
        bob -> tandem 481
        bob registers
        quiet bob
        # Another phone may.
        bob2 registers
        tandem -> bob MESSAGE [body one]
        bob -> tandem 405
        tandem -> bob2 MESSAGE [body one]
        bob2 -> tandem 200
        tandem -> bob MESSAGE [body two]
        bob -> tandem 405
        tandem -> bob2 MESSAGE [body two]
        bob2 -> tandem 200
        tandem -> bob2 NOTIFY [body ~ Messages-Waiting: no]
        bob2 -> tandem 200
        tandem -> bob NOTIFY [body ~ Messages-Waiting: no]
        bob -> tandem 481
        letters 0
        ",
    );
}

#[test]
fn who_says_no_is_not_written_to_behind_their_back() {
    play(
        "
        bob registers
        alice -> tandem MESSAGE bob (type: text/plain | body: hello)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: hello)
        tandem -> bob MESSAGE
        bob -> tandem 603
        tandem -> alice 603
        letters 0
        alice -> tandem MESSAGE *66 (auth | type: text/plain | body: hello)
        tandem -> alice 603
        alice -> tandem MESSAGE nobody (auth | type: text/plain | body: hello)
        tandem -> alice 404
        alice -> tandem MESSAGE bob (auth | type: text/plain)
        tandem -> alice 400
        alice -> tandem MESSAGE *43 (auth | type: text/plain | body: hello)
        tandem -> alice 405
        ",
    );
}

#[test]
fn only_so_much_is_kept_and_only_for_so_long() {
    play_in(
        |setting| {
            setting.settings.limits.stored_messages = 2;
            setting.settings.limits.stored_message_bytes = 10;
            setting.settings.sip.nonce_lifetime = std::time::Duration::from_secs(86_400);
        },
        "
        alice -> tandem MESSAGE bob (type: text/plain | body: one)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: far too long)
        tandem -> alice 480 [phrase Mailbox Full]
        alice -> tandem MESSAGE bob (auth | type: text/plain | Expires: 60 | body: one)
        tandem -> alice 202
        alice -> tandem MESSAGE bob (auth | type: application/im-iscomposing+xml | body: typing)
        tandem -> alice 480
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: two)
        tandem -> alice 202
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: 3)
        tandem -> alice 480
        letters 2
        wait 61m
        letters 1
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: 4)
        tandem -> alice 202
        bob registers
        tandem -> bob MESSAGE [body two]
        bob -> tandem 200
        tandem -> bob MESSAGE [body 4]
        bob -> tandem 200
        store fails
        alice -> tandem MESSAGE carol (auth | type: text/plain | body: 5)
        tandem -> alice 500
        ",
    );
}

#[test]
fn what_is_kept_outlives_the_process_and_not_the_account() {
    play(
        "
        alice -> tandem MESSAGE bob (type: text/plain | body: one)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: one)
        tandem -> alice 202
        alice -> tandem MESSAGE carol (auth | type: text/plain | body: secret)
        tandem -> alice 202
        restart
        carol is no user
        letters 1
        carol is a user again
        carol registers
        quiet carol
        bob registers
        tandem -> bob MESSAGE [body one]
        bob -> tandem 200
        letters 0
        ",
    );
}

#[test]
fn a_large_text_goes_by_a_connection_only() {
    let large = "x".repeat(1_200);
    play(&format!(
        "
        bob registers
        emil registers
        alice -> tandem MESSAGE emil (type: text/plain | body: {large})
        tandem -> alice 401
        alice -> tandem MESSAGE emil (auth | type: text/plain | body: {large})
        tandem -> emil MESSAGE [body {large}]
        emil -> tandem 200
        tandem -> alice 200
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: {large})
        tandem -> alice 513
        "
    ));
}

#[test]
fn a_text_goes_out_over_a_trunk_where_the_plan_says_so() {
    play_in(
        |setting| setting.account_at_acme(),
        "
        alice -> tandem MESSAGE +442079460000 (type: text/plain | body: hello)
        tandem -> alice 401
        alice -> tandem MESSAGE +442079460000 (auth | type: text/plain | body: hello)
        tandem -> acme MESSAGE [uri sip:+442079460000@198.51.100.11 | body hello]
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"acme\", nonce=\"n\", qop=\"auth\", algorithm=MD5)
        tandem -> acme MESSAGE [Proxy-Authorization ~ username=\"4711\" | body hello]
        acme -> tandem 503
        tandem -> globex MESSAGE [uri sip:+442079460000@198.51.100.12:5080]
        globex -> tandem 202
        tandem -> alice 202
        acme -> tandem MESSAGE bob (type: text/plain | body: from afar)
        tandem -> acme 202
        alice -> tandem MESSAGE *80 (auth | type: text/plain | body: either of you)
        tandem -> alice 202
        letters 2
        carol registers
        quiet carol
        ",
    );
}
