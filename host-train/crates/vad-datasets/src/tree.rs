//! One walk through a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vad_data::is_video_file;
use vad_video::is_image_file;

use crate::ImportError;
use crate::names::video_id;

const MAX_DEPTH: usize = 12;
/// Pictures within folders are counted, not kept, so that real sets stay far below.
const MAX_FILES: usize = 2_000_000;

/// The files of a folder and its sub-folders; hidden ones are passed over.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    root: PathBuf,
    /// Everything but pictures, sorted.
    files: Vec<PathBuf>,
    image_folders: Vec<ImageFolder>,
}

/// A folder that holds pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFolder {
    pub(crate) path: PathBuf,
    /// How many.
    pub(crate) images: u64,
}

impl Tree {
    /// Walks through a folder.
    ///
    /// # Errors
    /// A folder that cannot be listed, or far too many files.
    pub fn walk(root: &Path) -> Result<Self, ImportError> {
        let mut tree = Self { root: root.to_owned(), ..Self::default() };
        tree.visit(root, 0)?;
        tree.files.sort();
        tree.image_folders.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn visit(&mut self, folder: &Path, depth: usize) -> Result<(), ImportError> {
        let failed = |source| ImportError::io(folder, "list the folder", source);
        let mut images = 0;
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // A name that is not UTF-8 cannot stand in a list.
            if path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with('.')) {
                continue;
            }
            if is_image_file(&path) {
                images += 1;
            } else if path.is_dir() {
                if depth < MAX_DEPTH {
                    self.visit(&path, depth + 1)?;
                }
            } else {
                self.files.push(path);
            }
        }
        if images > 0 {
            self.image_folders.push(ImageFolder { path: folder.to_owned(), images });
        }
        if self.files.len() > MAX_FILES {
            let problem = format!("over {MAX_FILES} files: name the folder of the data set itself");
            return Err(ImportError::file(&self.root, problem));
        }
        Ok(())
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The file of one of these names, in any case: of the first name that occurs, the one nearest to the root.
    pub(crate) fn named(&self, names: &[&str]) -> Option<&Path> {
        names.iter().find_map(|name| {
            let same =
                |path: &&PathBuf| path.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name));
            self.files.iter().filter(same).min_by_key(|path| path.components().count()).map(PathBuf::as_path)
        })
    }

    /// The file of one of these names, or an error that lists them.
    pub(crate) fn require(&self, what: &str, names: &[&str]) -> Result<&Path, ImportError> {
        self.named(names).ok_or_else(|| {
            let problem =
                format!("no {what} in this folder; put one of these files there: {}", names.join(", "));
            ImportError::file(&self.root, problem)
        })
    }

    /// Files with this extension whose folder has this name.
    pub(crate) fn within<'a>(
        &'a self,
        folder: &'a str,
        extension: &'a str,
    ) -> impl Iterator<Item = &'a Path> + 'a {
        let here = move |path: &&PathBuf| {
            let parent = path.parent().and_then(Path::file_name);
            path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
                && parent.is_some_and(|found| found.eq_ignore_ascii_case(folder))
        };
        self.files.iter().filter(here).map(PathBuf::as_path)
    }

    /// Video files, and folders of pictures where there is no file, by id.
    pub(crate) fn videos(&self) -> BTreeMap<&str, Vec<&Path>> {
        let mut videos: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        for path in self.files.iter().filter(|path| is_video_file(path)) {
            if let Some(id) = id_of(path) {
                videos.entry(id).or_default().push(path);
            }
        }
        let mut folders: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        for ImageFolder { path, .. } in &self.image_folders {
            if let Some(id) = id_of(path).filter(|id| !videos.contains_key(id)) {
                folders.entry(id).or_default().push(path);
            }
        }
        videos.extend(folders);
        videos
    }

    /// Pictures of a folder.
    pub(crate) fn images_in(&self, folder: &Path) -> Option<u64> {
        let at = self.image_folders.binary_search_by(|found| found.path.as_path().cmp(folder)).ok()?;
        self.image_folders.get(at).map(|found| found.images)
    }
}

/// `None` where the name is not UTF-8, which [`Tree::walk`] passes over.
fn id_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str().map(video_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }

    #[test]
    fn files_are_preferred_to_pictures_and_lists_are_found_by_name() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &[
                "lists/deep/anomaly_train.txt",
                "Anomaly_Train.TXT",
                "videos/a.mp4",
                "frames/a/1.jpg",
                "frames/b.mp4/1.jpg",
                "frames/b.mp4/10.jpg",
                ".hidden/c.mp4",
                "masks/b.npy",
            ],
        );
        let tree = Tree::walk(root.path()).unwrap();
        assert!(tree.named(&["none.txt", "anomaly_train.txt"]).unwrap().ends_with("Anomaly_Train.TXT"));
        let videos = tree.videos();
        assert_eq!(videos.keys().copied().collect::<Vec<_>>(), ["a", "b"]);
        assert!(videos["a"][0].ends_with("videos/a.mp4") && videos["a"].len() == 1);
        assert_eq!(tree.images_in(videos["b"][0]), Some(2));
        assert_eq!(tree.within("masks", "npy").count(), 1);
        let missing = tree.require("list", &["x.txt", "y.txt"]).unwrap_err().to_string();
        assert!(missing.contains("x.txt, y.txt"), "{missing}");
    }
}
