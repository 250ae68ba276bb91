//! Nothing on a packet's way allocates: every codec, converter and concealment runs here under an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tandem_codecs::{
    Codec, Decoder, Encoder, EncoderSettings, MAX_FRAME_SAMPLES, MAX_PAYLOAD_BYTES, Resampler, resample,
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
