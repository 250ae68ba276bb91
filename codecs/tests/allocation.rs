//! Nothing on a packet's way allocates: every codec, converter and concealment runs here under an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tandem_codecs::comfort::{self, Colour};
use tandem_codecs::gain::{Gain, scale};
use tandem_codecs::loudness::Loudness;
use tandem_codecs::tone::dtmf;
use tandem_codecs::{
    Codec, Decoder, Encoder, EncoderSettings, MAX_FRAME_SAMPLES, MAX_PAYLOAD_BYTES, Resampler, g722, mix, resample,
    simd,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[track_caller]
fn without_allocation(work: impl FnOnce()) {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}

#[test]
fn coding_allocates_nothing() {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::L16 { rate: 16_000 }, Codec::Opus];
    for codec in codecs {
        for inband_fec in [false, true] {
            let settings = EncoderSettings { inband_fec, expected_loss_percent: 20, ..EncoderSettings::default() };
            let mut encoder = Encoder::new(codec, settings).unwrap();
            let mut decoder = Decoder::new(codec, None).unwrap();
            let pcm: Vec<i16> = (0..5_760).map(|n| ((n * n) % 20_011 - 10_000) as i16).collect();
            let mut payload = [0; MAX_PAYLOAD_BYTES];
            let mut heard = vec![0; MAX_FRAME_SAMPLES];
            without_allocation(|| {
                for frame_ms in [20, 30, 10, 40] {
                    let frame = encoder.rate() as usize / 1_000 * frame_ms;
                    let length = encoder.encode(&pcm[..frame], &mut payload).unwrap();
                    assert_eq!(decoder.decode(&payload[..length], &mut heard), Ok(frame));
                    decoder.decode_fec(&payload[..length], &mut heard[..frame]).unwrap();
                    decoder.conceal(&mut heard[..frame]);
                    assert_eq!(decoder.decode(&payload[..length], &mut heard), Ok(frame));
                    assert!(decoder.decode(&[0; MAX_PAYLOAD_BYTES + 1], &mut heard).is_err());
                }
            });
        }
    }
}

#[test]
fn conversion_allocates_nothing() {
    for from in resample::RATES {
        for to in resample::RATES {
            let mut resampler = Resampler::new(from, to).unwrap();
            let input = [100; 2_880];
            let mut output = [0; 2_880 * 6];
            without_allocation(|| {
                for length in [160, 0, 7, 2_880, 961] {
                    resampler.process(&input[..length], &mut output);
                }
            });
        }
    }
}

#[test]
fn mixing_and_hearing_allocate_nothing() {
    let mut pcm = [1_000; 160];
    let (mut sum, mut out) = ([0; 160], [0; 160]);
    let mut detector = dtmf::Detector::new(8_000);
    let mut tones = dtmf::Generator::new(8_000, b'5', -10.0, 800).unwrap();
    let mut noise = comfort::Generator::new(Colour::white(50), 1);
    simd::choose(None);
    without_allocation(|| {
        for _ in 0..10 {
            mix::add(&mut sum, &pcm);
            mix::without(&sum, &pcm, &mut out);
            scale(&mut out, Gain::UNITY, Gain::SILENCE);
            assert!(Loudness::of(&pcm).peak > 0);
            tones.fill(&mut pcm);
            detector.push(&pcm, drop);
            noise.fill(&mut pcm);
            noise.set(Colour::of(&pcm));
        }
    });
}

#[test]
fn many_calls_in_lanes_allocate_nothing() {
    let mut encoders = Vec::new();
    let mut decoders = Vec::new();
    for _ in 0..21 {
        encoders.push(Encoder::new(Codec::G722, EncoderSettings::default()).unwrap());
        decoders.push(Decoder::new(Codec::G722, None).unwrap());
    }
    let pcm = [500; 320];
    let mut payloads = [[0; 160]; 21];
    let mut heard = [[0; 320]; 21];
    without_allocation(|| {
        let jobs = encoders.iter_mut().zip(&mut payloads);
        g722::lanes::encode_all(jobs.filter_map(|(encoder, out)| encoder.in_lanes(&pcm, out)));
        let jobs = decoders.iter_mut().zip(&payloads).zip(&mut heard);
        g722::lanes::decode_all(jobs.filter_map(|((decoder, payload), pcm)| decoder.in_lanes(payload, pcm)));
        for (decoder, heard) in decoders.iter_mut().zip(&mut heard) {
            decoder.settle(heard);
        }
    });
    assert!(heard.iter().all(|heard| heard == &heard_alone(&pcm)));
}

/// What one stream makes of the first frame.
fn heard_alone(pcm: &[i16; 320]) -> [i16; 320] {
    let (mut payload, mut heard) = ([0; 160], [0; 320]);
    let length = Encoder::new(Codec::G722, EncoderSettings::default()).unwrap().encode(pcm, &mut payload);
    assert_eq!(length, Ok(160));
    assert_eq!(Decoder::new(Codec::G722, None).unwrap().decode(&payload, &mut heard), Ok(320));
    heard
}
