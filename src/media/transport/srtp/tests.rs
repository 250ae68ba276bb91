//! Vectors of the RFCs, and what hours, peers and attackers do.

use super::cipher::Cipher;
use super::testing::hex;
use super::*;
use proptest::prelude::*;

const SSRC: u32 = 0xcafe_babe;

fn master(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..suite.key_bytes() + suite.salt_bytes()).map(|n| seed ^ n as u8).collect();
    MasterKey::new(suite, &bytes).unwrap()
}

fn both(suite: Suite) -> (Outbound, Inbound) {
    let master = master(suite, 1);
    (Outbound::new(&master).unwrap(), Inbound::new(&master).unwrap())
}

fn rtp(sequence: u16, ssrc: u32) -> Vec<u8> {
    let header = rtp::Header { marker: false, payload_type: 0, sequence, timestamp: 7, ssrc };
    let mut packet = header.bytes().to_vec();
    packet.extend((0..160).map(|n| n as u8 ^ sequence as u8));
    packet
}

fn protected(outbound: &mut Outbound, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut room = packet.to_vec();
    room.resize(packet.len() + 32, 0);
    let length = outbound.protect_rtp(&mut room, packet.len())?;
    room.truncate(length);
    Ok(room)
}

fn opened(inbound: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut packet = packet.to_vec();
    let length = inbound.open_rtp(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

fn protected_rtcp(outbound: &mut Outbound, packet: &[u8]) -> Vec<u8> {
    let mut room = packet.to_vec();
    room.resize(packet.len() + 32, 0);
    let length = outbound.protect_rtcp(&mut room, packet.len()).unwrap();
    room.truncate(length);
    room
}

fn opened_rtcp(inbound: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut packet = packet.to_vec();
    let length = inbound.open_rtcp(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

/// The packet that implementations compare themselves with: under the keys of RFC 3711 B.3 and of RFC 6188 §7.2.
#[test]
fn counter_mode_agrees_with_other_implementations() {
    let plain = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    for (suite, key, text) in [
        (
            Suite::AesCm128HmacSha1_80,
            "E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6",
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
        ),
        (
            Suite::AesCm256HmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b78d2",
            "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b",
        ),
    ] {
        let master = MasterKey::new(suite, &hex(key)).unwrap();
        let wire = protected(&mut Outbound::new(&master).unwrap(), &plain).unwrap();
        assert_eq!(wire, hex(text));
        assert_eq!(opened(&mut Inbound::new(&master).unwrap(), &wire).unwrap(), plain);
    }
}

/// RFC 7714 §16 and §17, whose keys are those of the session.
#[test]
fn gcm_agrees_with_the_vectors_of_rfc_7714() {
    let salt = hex("51756964 2070726f 2071756f");
    let long = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let rtp =
        hex("8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
    let rtcp =
        hex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
    for (suite, srtp, srtcp) in [
        (
            Suite::AeadAes128Gcm,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b\
             c84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            Suite::AeadAes256Gcm,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad\
             1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ] {
        let key = &long[..suite.key_bytes()];
        let cipher = || Cipher::of(suite, key, &salt, &[]).unwrap();
        let mut outbound = Outbound::with_ciphers(suite, cipher(), cipher());
        let mut inbound = Inbound::with_ciphers(suite, cipher(), cipher());
        assert_eq!(protected(&mut outbound, &rtp).unwrap(), hex(srtp));
        assert_eq!(opened(&mut inbound, &hex(srtp)).unwrap(), rtp);
        outbound.set_rtcp_index(0x4d61_7273, 0x5d3);
        assert_eq!(protected_rtcp(&mut outbound, &rtcp), hex(srtcp));
        assert_eq!(opened_rtcp(&mut inbound, &hex(srtcp)).unwrap(), rtcp);
    }
    let cipher = || Cipher::of(Suite::AeadAes128Gcm, &long[..16], &salt, &[]).unwrap();
    let mut inbound = Inbound::with_ciphers(Suite::AeadAes128Gcm, cipher(), cipher());
    let plain = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef\
                 841dd9683dd78ec92ae58790125f62b3000005d4";
    assert_eq!(opened_rtcp(&mut inbound, &hex(plain)), Err(Refusal::Plain), "§17.3: authentic, and readable by all");
}

#[test]
fn every_suite_carries_packets_over_the_end_of_their_numbers() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = both(suite);
        for number in 60_000..(if suite.is_aead() { 200_000u32 } else { 67_000 }) {
            let packet = rtp(number as u16, SSRC);
            let wire = protected(&mut outbound, &packet).unwrap();
            let is_lost = number % 100 == 7 || (64_000..66_000).contains(&number);
            if !is_lost {
                assert_eq!(opened(&mut inbound, &wire).unwrap(), packet, "{suite:?} {number}");
            }
        }
    }
}

#[test]
fn a_packet_serves_once_and_out_of_order() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = both(suite);
        let wires: Vec<_> =
            (0..200u16).map(|n| protected(&mut outbound, &rtp(n.wrapping_add(65_500), SSRC)).unwrap()).collect();
        for block in [0..1, 1..100, 100..200] {
            for wire in wires[block].iter().rev() {
                assert!(opened(&mut inbound, wire).is_ok(), "{suite:?}");
                assert_eq!(opened(&mut inbound, wire), Err(Refusal::Replayed), "{suite:?}");
            }
        }
        assert_eq!(opened(&mut inbound, &wires[0]), Err(Refusal::Replayed), "too old to know");
    }
}

#[test]
fn the_same_packet_is_not_protected_twice() {
    let (mut outbound, _) = both(Suite::AesCm128HmacSha1_80);
    protected(&mut outbound, &rtp(5, SSRC)).unwrap();
    assert_eq!(protected(&mut outbound, &rtp(5, SSRC)), Err(Refusal::Replayed));
    protected(&mut outbound, &rtp(5, SSRC + 1)).unwrap();
}

#[test]
fn whatever_was_changed_is_refused_and_harms_nothing() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = both(suite);
        let good = protected(&mut outbound, &rtp(1, SSRC)).unwrap();
        for byte in 0..good.len() {
            let mut bad = good.clone();
            bad[byte] ^= 0x01;
            let refusal = opened(&mut inbound, &bad).unwrap_err();
            assert!(matches!(refusal, Refusal::Unauthentic | Refusal::Malformed), "{suite:?} {byte} {refusal:?}");
        }
        assert!(opened(&mut inbound, &good).is_ok());
        let report = hex("80c90001cafebabe81ca0001cafebabe");
        let good = protected_rtcp(&mut outbound, &report);
        for byte in 0..good.len() {
            let mut bad = good.clone();
            bad[byte] ^= 0x01;
            assert!(opened_rtcp(&mut inbound, &bad).is_err(), "{suite:?} {byte}");
        }
        assert_eq!(opened_rtcp(&mut inbound, &good).unwrap(), report);
        assert_eq!(opened_rtcp(&mut inbound, &good), Err(Refusal::Replayed));
        assert!(opened_rtcp(&mut inbound, &protected_rtcp(&mut outbound, &report)).is_ok());
    }
}

#[test]
fn a_new_key_takes_over_and_peers_that_count_anew_are_followed() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = both(suite);
        for number in 65_000..65_900u32 {
            let wire = protected(&mut outbound, &rtp(number as u16, SSRC)).unwrap();
            opened(&mut inbound, &wire).unwrap();
        }
        let old = protected(&mut outbound, &rtp(400, SSRC)).unwrap();
        let new = master(suite, 9);
        let mut goes_on = outbound.rekeyed(&new).unwrap();
        let mut begins_anew = Outbound::new(&new).unwrap();
        for outbound in [&mut goes_on, &mut begins_anew] {
            let mut inbound = inbound.rekeyed(&new).unwrap();
            for number in 401..500 {
                let packet = rtp(number, SSRC);
                let wire = protected(outbound, &packet).unwrap();
                assert_eq!(opened(&mut inbound, &wire).unwrap(), packet, "{suite:?}");
                assert_eq!(opened(&mut inbound, &wire), Err(Refusal::Replayed));
            }
            assert!(opened(&mut inbound, &old).is_err(), "under the old key");
            let report = hex("80c90001cafebabe");
            assert!(opened_rtcp(&mut inbound, &protected_rtcp(outbound, &report)).is_ok());
        }
    }
}

#[test]
fn after_a_pause_the_numbers_may_have_gone_round() {
    let (mut outbound, mut inbound) = both(Suite::AeadAes128Gcm);
    let mut send = |number: u32| protected(&mut outbound, &rtp(number as u16, SSRC)).unwrap();
    let old = send(10);
    opened(&mut inbound, &old).unwrap();
    // 45,000 packets of music that a firewall kept back.
    let later: Vec<_> = (11..45_000).map(&mut send).collect();
    let last = later.last().unwrap();
    assert_eq!(opened(&mut inbound, last), Err(Refusal::Replayed), "it looks like one from before the first");
    inbound.paused();
    assert_eq!(opened(&mut inbound, &old), Err(Refusal::Unauthentic), "what was heard isn't heard again");
    let far = (45_000..70_000).map(&mut send).last().unwrap();
    assert!(opened(&mut inbound, &far).is_ok());
    assert_eq!(opened(&mut inbound, &old), Err(Refusal::Replayed));
}

#[test]
fn streams_are_bounded_and_the_busy_one_stays() {
    let (mut outbound, mut inbound) = both(Suite::AeadAes128Gcm);
    for ssrc in 0..100u32 {
        let wire = protected(&mut outbound, &rtp(1, ssrc)).unwrap();
        opened(&mut inbound, &wire).unwrap();
        let busy = protected(&mut outbound, &rtp(ssrc as u16 + 10, SSRC)).unwrap();
        opened(&mut inbound, &busy).unwrap();
        assert_eq!(opened(&mut inbound, &busy), Err(Refusal::Replayed));
    }
    assert_eq!((inbound.streams_for_test(), outbound.streams_for_test()), (STREAMS, STREAMS));
}

proptest! {
    #[test]
    fn no_bytes_panic_or_get_in(bytes in proptest::collection::vec(any::<u8>(), 0..300), suite in 0..6usize) {
        let (mut outbound, mut inbound) = both(Suite::ALL[suite]);
        prop_assert!(opened(&mut inbound, &bytes).is_err());
        prop_assert!(opened_rtcp(&mut inbound, &bytes).is_err());
        let mut room = bytes.clone();
        let _ = outbound.protect_rtp(&mut room, bytes.len().saturating_sub(20));
        let _ = outbound.protect_rtcp(&mut room, bytes.len().saturating_sub(20));
        let _ = outbound.protect_rtp(&mut room, bytes.len() + 1);
    }
}
