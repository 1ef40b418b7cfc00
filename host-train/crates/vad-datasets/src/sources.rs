//! Where the video or the features of every listed name lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Faults, some_of};
use crate::features::{Axes, FeatureIndex, Place, Shaped, agree};
use crate::lists::{Listed, Lists};
use crate::record::FeatureKind;
use crate::{ImportError, Request, Source, Tree};

/// The video of every listed name.
pub(crate) fn videos(
    tree: &Tree,
    lists: &Lists,
    faults: &mut Faults,
) -> Result<BTreeMap<String, Source>, ImportError> {
    let there = tree.videos();
    let mut sources = BTreeMap::new();
    let mut missing = Vec::new();
    for (id, listed) in &lists.videos {
        match there.get(id.as_str()).map(Vec::as_slice) {
            None | Some([]) => missing.push(id.as_str()),
            Some(paths) => {
                let path = choose(id, listed, paths)?.to_owned();
                sources.insert(id.clone(), Source::Video { path });
            }
        }
    }
    report_missing(&missing, "video", &[tree.root().to_owned()], lists, faults)?;
    Ok(sources)
}

/// Of several files of one name, the one at the path that the list gives, or the first if they are copies of one another.
fn choose<'a>(id: &str, listed: &Listed, paths: &[&'a Path]) -> Result<&'a Path, ImportError> {
    let hint = listed.hint.replace('\\', "/");
    if let Some(path) = paths.iter().find(|path| path.ends_with(&hint)) {
        return Ok(path);
    }
    let bytes = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len()).ok();
    match paths {
        [first, others @ ..] if others.iter().all(|other| bytes(other) == bytes(first)) => Ok(first),
        [first, second, ..] => {
            let problem = format!(
                "two different videos are called `{id}`, here and in {}; remove or rename one of them",
                second.display()
            );
            Err(ImportError::file(first, problem))
        }
        _ => Err(ImportError::file(Path::new(id), "no such video")),
    }
}

/// The features of every listed name, read from end to end.
pub(crate) fn features(
    request: &Request,
    lists: &Lists,
    faults: &mut Faults,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(FeatureKind, BTreeMap<String, Source>), ImportError> {
    let mut index = FeatureIndex::of(&request.features)?;
    let mut places = BTreeMap::new();
    let mut missing = Vec::new();
    for id in lists.videos.keys() {
        match index.take(id)? {
            Some(place) => {
                places.insert(id.clone(), place);
            }
            None => missing.push(id.as_str()),
        }
    }
    if places.is_empty() && !index.others.is_empty() {
        let problem = format!(
            "the file holds no numbers but other things ({}), such as pictures; give the file of features",
            some_of(index.others.iter().map(String::as_str))
        );
        return Err(ImportError::Missing { root: first(&request.features), problem });
    }
    if places.is_empty() && index.is_empty() {
        let problem = "no .npy or .h5 file; give the folder of the features".to_owned();
        return Err(ImportError::Missing { root: first(&request.features), problem });
    }
    report_missing(&missing, "feature file", &request.features, lists, faults)?;
    if let Some(left) = index.left() {
        faults.warn(format!("features of videos that no list names are left out: {left}"));
    }
    let (axes, shapes) = shapes(request, places)?;
    let (width, crops) = agree(&shapes)?;
    let total = shapes.len();
    let mut sources = BTreeMap::new();
    for (done, (id, (place, shape))) in shapes.into_iter().enumerate() {
        match place.load(&id, axes, shape) {
            Ok(_) => {
                sources.insert(id, Source::Features { place, clips: shape.clips });
            }
            Err(error) => faults.raise(error)?,
        }
        progress(done + 1, total);
    }
    Ok((FeatureKind { width, crops, axes }, sources))
}

/// The shape of every video's features, and the order of axes that all of them have.
fn shapes(request: &Request, places: BTreeMap<String, Place>) -> Result<(Axes, Shaped), ImportError> {
    let mut arrays = BTreeMap::new();
    for (id, place) in places {
        let shapes = place.shapes()?;
        arrays.insert(id, (place, shapes));
    }
    let all =
        || arrays.iter().flat_map(|(id, (place, shapes))| shapes.iter().map(move |shape| (id, place, shape)));
    let three = all().find(|(_, _, shape)| shape.len() == 3);
    let axes = match (request.axes, three) {
        (Some(axes), _) => axes,
        (None, None) => Axes::ClipsCrops,
        (None, Some((id, place, shape))) => {
            Axes::of_all(all().map(|(_, _, shape)| shape.as_slice())).ok_or_else(|| ImportError::Features {
                video: id.clone(),
                place: place.to_string(),
                problem: format!(
                    "nothing says which axis of {shape:?} counts crops; say it with --axes clips-crops or --axes crops-clips"
                ),
            })?
        }
    };
    let mut joined = BTreeMap::new();
    for (id, (place, shapes)) in arrays {
        let shape = place.joined(&shapes, axes).map_err(|problem| ImportError::Features {
            video: id.clone(),
            place: place.to_string(),
            problem,
        })?;
        joined.insert(id, (place, shape));
    }
    Ok((axes, joined))
}

fn report_missing(
    missing: &[&str],
    what: &str,
    roots: &[PathBuf],
    lists: &Lists,
    faults: &mut Faults,
) -> Result<(), ImportError> {
    let Some(first_id) = missing.first() else { return Ok(()) };
    let origin = lists.origin(first_id).map(|(path, line)| format!("{}:{line}", path.display()));
    let problem = format!(
        "no {what} for {} of {} listed videos: {} (first named in {}); complete the folder, or leave them out with --keep-going",
        missing.len(),
        lists.videos.len(),
        some_of(missing.iter().copied()),
        origin.unwrap_or_default()
    );
    faults.raise(ImportError::Missing { root: first(roots), problem })
}

fn first(paths: &[PathBuf]) -> PathBuf {
    paths.first().cloned().unwrap_or_default()
}
