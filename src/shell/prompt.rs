//! Sound files, decoded whole before they are played.

use crate::media::command::Clip;
use std::fs::File;
use std::path::{Component, Path};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// Samples of the longest prompt: ten minutes at 48 kHz.
const LONGEST: usize = 10 * 60 * 48_000;

/// Reads a file of the prompts folder. Names can't lead out of it.
pub fn load(folder: &Path, name: &str) -> Result<Clip, String> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !inside {
        return Err(format!("{name:?} is no name of a file inside the prompts folder"));
    }
    read(&folder.join(name))
}

/// Reads WAV, FLAC, MP3, AIFF or Ogg Vorbis as mono. Some damaged files make the decoders panic, which is an error here as
/// any other damage is.
pub fn read(path: &Path) -> Result<Clip, String> {
    let damaged = |_| Err(format!("{}: the file is damaged", path.display()));
    std::panic::catch_unwind(|| decode(path)).unwrap_or_else(damaged)
}

fn decode(path: &Path) -> Result<Clip, String> {
    let place = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| place(&error))?;
    let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    let mut reader = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| place(&error))?;
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| place(&"no sound in it"))?;
    let id = track.id;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or_else(|| place(&"no sound in it"))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| place(&error))?;
    let mut clip = Clip { rate: parameters.sample_rate.unwrap_or(0), samples: Vec::new() };
    let mut interleaved: Vec<i16> = Vec::new();
    while let Some(packet) = reader.next_packet().map_err(|error| place(&error))? {
        if packet.track_id != id {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(decoded) => {
                clip.rate = decoded.spec().rate();
                let channels = decoded.spec().channels().count().max(1);
                decoded.copy_to_vec_interleaved(&mut interleaved);
                clip.samples.extend(interleaved.chunks(channels).map(|frame| {
                    let sum: i32 = frame.iter().map(|&sample| i32::from(sample)).sum();
                    (sum / frame.len() as i32) as i16
                }));
            }
            // A damaged packet costs its own sound only.
            Err(Error::DecodeError(_)) => {}
            Err(error) => return Err(place(&error)),
        }
        if clip.samples.len() > LONGEST {
            return Err(place(&"longer than ten minutes"));
        }
    }
    if clip.rate == 0 || clip.samples.is_empty() {
        return Err(place(&"no sound in it"));
    }
    Ok(clip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_file_is_read_as_mono() {
        let folder = tempfile::tempdir().unwrap();
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(folder.path().join("a.wav"), spec).unwrap();
        for sample in [100i16, 300, -50, -150] {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        let clip = load(folder.path(), "a.wav").unwrap();
        assert_eq!((clip.rate, clip.samples), (16_000, vec![200, -100]));
    }

    /// CVE-2022-24792 and others: sizes, rates and channels that make no sense.
    #[test]
    fn a_damaged_file_is_an_error_and_takes_no_time() {
        let folder = tempfile::tempdir().unwrap();
        let wave = |channels: u16, rate: u32, bits: u16, data: u32, chunk: u32| {
            let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt ".to_vec();
            bytes.extend(chunk.to_le_bytes());
            bytes.extend(1u16.to_le_bytes());
            bytes.extend(channels.to_le_bytes());
            bytes.extend(rate.to_le_bytes());
            bytes.extend((rate.wrapping_mul(2)).to_le_bytes());
            bytes.extend([2, 0]);
            bytes.extend(bits.to_le_bytes());
            bytes.extend(b"data");
            bytes.extend(data.to_le_bytes());
            bytes.extend([1, 0, 2, 0]);
            bytes
        };
        let files = [
            wave(0, 8_000, 16, 4, 16),
            wave(1, 0, 16, 4, 16),
            wave(1, 8_000, 0, 4, 16),
            wave(65_535, 8_000, 16, 4, 16),
            wave(1, 8_000, 16, 4, u32::MAX),
            wave(1, 8_000, 16, 0, 16),
            b"RIFF".to_vec(),
            b"OggS\0\x02\xff\xff\xff\xff".repeat(1_000),
            b"fLaC\x7f\xff\xff\xff".repeat(1_000),
            b"ID3\x03\0\0\x7f\x7f\x7f\x7f".repeat(1_000),
            vec![0xff; 100_000],
            Vec::new(),
        ];
        for (number, bytes) in files.into_iter().enumerate() {
            let name = format!("{number}.wav");
            std::fs::write(folder.path().join(&name), bytes).unwrap();
            assert!(load(folder.path(), &name).is_err(), "file {number}");
        }
        // A size beyond the end of the file is what is there.
        std::fs::write(folder.path().join("long.wav"), wave(1, 8_000, 16, u32::MAX, 16)).unwrap();
        assert!(load(folder.path(), "long.wav").map_or(0, |clip| clip.samples.len()) <= 2);
    }

    #[test]
    fn names_stay_inside_the_folder() {
        for name in ["../a.wav", "/etc/passwd", "", "a/../../b"] {
            assert!(load(Path::new("."), name).unwrap_err().contains("inside"), "{name}");
        }
    }
}
