//! Kernel modules in an order in which they can be loaded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The modules of one kernel.
pub struct Modules {
    files: BTreeMap<String, PathBuf>,
}

/// A module and the options it is loaded with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The module's file.
    pub file: PathBuf,
    /// Options, separated by spaces; may be empty.
    pub options: String,
}

impl Modules {
    /// The modules below a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn below(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if let Some(name) = module_name(&entry.path()) {
                    files.insert(name, entry.path());
                }
            }
        }
        Ok(Self { files })
    }

    /// Each wanted module (`name option=value ...`) after the modules it needs.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn in_order(&self, wanted: &[String]) -> Result<Vec<Load>> {
        let mut order = Vec::new();
        for line in wanted {
            let (name, options) = line.split_once(' ').unwrap_or((line, ""));
            self.add(name, options, &mut order)?;
        }
        Ok(order)
    }

    fn add(&self, name: &str, options: &str, order: &mut Vec<Load>) -> Result<()> {
        let file = self.files.get(&name.replace('-', "_")).with_context(|| format!("no module {name}"))?;
        if order.iter().any(|load| load.file == *file) {
            return Ok(());
        }
        for needed in needs(&std::fs::read(file)?) {
            self.add(&needed, "", order)?;
        }
        order.push(Load { file: file.clone(), options: options.to_owned() });
        Ok(())
    }
}

fn module_name(file: &Path) -> Option<String> {
    let is_module = file.extension()? == "ko";
    is_module.then(|| file.file_stem().map(|stem| stem.to_string_lossy().replace('-', "_")))?
}

/// Every module says in its section `.modinfo` what it needs: `depends=a,b`, closed by a zero.
fn needs(module: &[u8]) -> Vec<String> {
    const MARK: &[u8] = b"\0depends=";
    let Some(at) = module.windows(MARK.len()).position(|window| window == MARK) else {
        return Vec::new();
    };
    let text = module[at + MARK.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = text.split(|byte| *byte == b',').filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn modules() -> (tempfile::TempDir, Modules) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
        write("video-core.ko", b"\0license=GPL\0depends=\0");
        write("vivid.ko", b"x\0depends=tpg,video-core\0rest");
        write("tpg.ko", b"\0depends=video_core\0");
        write("notes.txt", b"\0depends=nothing\0");
        let modules = Modules::below(folder.path()).unwrap();
        (folder, modules)
    }

    #[test]
    fn what_a_module_needs_comes_before_it_and_once() {
        let (_folder, modules) = modules();
        let wanted = ["vivid n_devs=2".to_owned(), "tpg".to_owned()];
        let order = modules.in_order(&wanted).unwrap();
        let names: Vec<_> =
            order.iter().map(|load| (module_name(&load.file).unwrap(), load.options.as_str())).collect();
        let expected = [("video_core", ""), ("tpg", ""), ("vivid", "n_devs=2")];
        assert_eq!(names, expected.map(|(name, options)| (name.to_owned(), options)));
    }

    #[test]
    fn an_unknown_module_is_named() {
        let (_folder, modules) = modules();
        let error = modules.in_order(&["softdog".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("softdog"), "{error}");
    }
}
