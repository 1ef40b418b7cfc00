//! A clip as fragmented MP4 (ISO/IEC 14496-12, 8.8): a head that says what comes, and fragments that each stand for themselves. What was
//! written before a power cut plays.

use mp4_atom::{
    Avc1, Avcc, Codec, Dinf, Dref, Encode, Ftyp, Hdlr, Mdat, Mdhd, Mdia, Mfhd, Minf, Moof, Moov, Mvex, Mvhd,
    Stbl, Stco, Stsd, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, TrunSamples, Url, Visual, Vmhd,
};
use vad_h264::ParameterSets;

use super::reel::Coded;

const TRACK: u32 = 1;
/// Times are in milliseconds, as on the board.
const TIMESCALE_HZ: u32 = 1_000;
/// Flags of a sample (8.8.3.1) that depends on no other.
const KEY: u32 = 0x0200_0000;
/// Flags of one that does, and at which nobody can begin.
const NO_KEY: u32 = 0x0101_0000;

/// What precedes the fragments.
///
/// # Errors
/// The parameter sets are none.
pub(super) fn head(size_px: (u32, u32), sets: &ParameterSets) -> mp4_atom::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let brands = [b"isom", b"iso6", b"avc1", b"mp41"].map(Into::into).to_vec();
    Ftyp { major_brand: b"iso6".into(), minor_version: 0, compatible_brands: brands }.encode(&mut bytes)?;
    movie(size_px, Avcc::new(&sets.sps, &sets.pps)?).encode(&mut bytes)?;
    Ok(bytes)
}

/// One fragment. `begin_ms` is the media time at which the clip begins, `number` counts fragments from 1.
///
/// # Errors
/// More samples than a fragment takes.
pub(super) fn fragment(number: u32, begin_ms: u64, samples: &[Coded]) -> mp4_atom::Result<Vec<u8>> {
    let first_ms = samples.first().map_or(begin_ms, |sample| sample.stamp.start.0);
    let nexts = samples.iter().skip(1).map(|next| Some(next.stamp.start.0)).chain([None]);
    let entry = |(sample, next_ms): (&Coded, Option<u64>)| {
        let end_ms = next_ms.unwrap_or(sample.stamp.end.0);
        TrunEntry {
            duration: Some(u32::try_from(end_ms.saturating_sub(sample.stamp.start.0)).unwrap_or(u32::MAX)),
            size: Some(u32::try_from(sample.data.len()).unwrap_or(u32::MAX)),
            flags: Some(if sample.is_key { KEY } else { NO_KEY }),
            cts: None,
        }
    };
    let entries: Vec<TrunEntry> = samples.iter().zip(nexts).map(entry).collect();
    let data = Mdat { data: samples.iter().flat_map(|sample| sample.data.iter().copied()).collect() };
    let track = |data_offset| Traf {
        tfhd: Tfhd { track_id: TRACK, default_base_is_moof: true, ..Tfhd::default() },
        tfdt: Some(Tfdt { base_media_decode_time: first_ms.saturating_sub(begin_ms) }),
        trun: vec![Trun { data_offset: Some(data_offset), samples: TrunSamples::Explicit(entries.clone()) }],
        ..Traf::default()
    };
    let header = |offset| Moof { mfhd: Mfhd { sequence_number: number }, traf: vec![track(offset)] };
    let mut bytes = Vec::new();
    header(0).encode(&mut bytes)?;
    // The samples begin behind this box and the head of the next one; the number has the same width whatever it is.
    let offset = i32::try_from(bytes.len() + 8).unwrap_or(i32::MAX);
    bytes.clear();
    header(offset).encode(&mut bytes)?;
    data.encode(&mut bytes)?;
    Ok(bytes)
}

fn movie((width_px, height_px): (u32, u32), avcc: Avcc) -> Moov {
    // An encoder takes no larger sides than 3840.
    let [width, height] = [width_px, height_px].map(|px| u16::try_from(px).unwrap_or(u16::MAX));
    let visual = Visual { data_reference_index: 1, width, height, ..Visual::default() };
    let picture =
        Avc1 { visual, avcc, btrt: None, colr: None, pasp: None, taic: None, fiel: None, spatial: None };
    let table = Stbl {
        stsd: Stsd { codecs: vec![Codec::Avc1(picture)] },
        stco: Some(Stco::default()),
        ..Stbl::default()
    };
    let media = Mdia {
        mdhd: Mdhd { timescale: TIMESCALE_HZ, language: "und".to_owned(), ..Mdhd::default() },
        hdlr: Hdlr { handler: b"vide".into(), name: "video".to_owned() },
        minf: Minf {
            vmhd: Some(Vmhd::default()),
            dinf: Dinf { dref: Dref { entries: vec![Url::default().into()] } },
            stbl: table,
            ..Minf::default()
        },
    };
    let tkhd = Tkhd {
        track_id: TRACK,
        enabled: true,
        in_movie: true,
        width: width.into(),
        height: height.into(),
        ..Tkhd::default()
    };
    Moov {
        mvhd: Mvhd { timescale: TIMESCALE_HZ, rate: 1.into(), next_track_id: TRACK + 1, ..Mvhd::default() },
        mvex: Some(Mvex {
            mehd: None,
            trex: vec![Trex { track_id: TRACK, default_sample_description_index: 1, ..Trex::default() }],
        }),
        trak: vec![Trak { tkhd, mdia: media, ..Trak::default() }],
        ..Moov::default()
    }
}
