//! A state dict in several files, the shards. An index maps each tensor to its shard.
//!
//! Every tensor has to be in the shard that the index names and in no other, and every shard in the index's folder or below,
//! so that a mixture of two models' files is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::Deserialize;

use super::super::{Clause, Refusal};
use super::{StateDict, Tensors, of_tensors, tensors};
use crate::error::why;
use crate::files::kind::{self, Kind};

/// The end of an index's name.
const ENDING: &str = ".safetensors.index.json";

/// The index, without what is not needed.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Reads the shards that an index in `folder` names.
pub(in super::super) fn read(
    bytes: &[u8],
    folder: Option<&Path>,
    order: &[String],
) -> Result<StateDict, Refusal> {
    let map = serde_json::from_slice::<Index>(bytes).map_err(|e| format!("a damaged index: {e}"))?.weight_map;
    let shards: BTreeSet<&String> = map.values().collect();
    let mut files = Vec::new();
    for shard in shards {
        let inside =
            Path::new(shard).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !inside || shard.is_empty() {
            return Err(format!("the index names {shard:?}, outside its folder").into());
        }
        let path = folder.unwrap_or(Path::new("")).join(shard);
        let unreadable =
            |e| format!("cannot read its shard {}: {}; put it beside the index", path.display(), why(&e));
        files.push((shard, std::fs::read(&path).map_err(unreadable)?));
    }
    let mut all = Tensors::new();
    for (shard, bytes) in &files {
        let kind = kind::of(bytes);
        if kind != Kind::Safetensors {
            let next = kind.fetch_again().unwrap_or("copy or download it again");
            return Err(format!("its shard {shard} is {}; {next}", kind.name()).into());
        }
        for (name, tensor) in tensors(bytes).map_err(|e| format!("its shard {shard} is {e}"))? {
            let said = map.get(&name);
            if said != Some(shard) {
                let where_to = said.map_or_else(|| "not at all".into(), |other| format!("in {other}"));
                return Err(wrong(&format!("{shard} holds {name}, which the index has {where_to}")).into());
            }
            all.insert(name, tensor);
        }
    }
    match map.iter().find(|(name, _)| !all.contains_key(*name)) {
        Some((name, shard)) => Err(wrong(&format!("{shard} does not hold {name}")).into()),
        None => of_tensors(all, order),
    }
}

fn wrong(what: &str) -> String {
    format!("{what}: the shards are not of one model; copy or download them and the index again")
}

/// Refuses a file whose name says that it is one shard of several.
pub(in super::super) fn whole(path: &Path) -> Clause<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parts = || {
        let (rest, count) = name.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let [number, count] = [number, count].map(|n| n.parse::<u32>().ok());
        Some((stem, number?, count?))
    };
    match parts() {
        Some((stem, number, count)) if count > 1 => Err(format!(
            "shard {number} of {count}, which holds some of the layers; name the index, {stem}{ENDING}"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::whole;

    #[test]
    fn shards_are_known_by_their_names() {
        let why = whole(Path::new("a/model-00001-of-00002.safetensors")).unwrap_err();
        assert!(why.ends_with(
            "shard 1 of 2, which holds some of the layers; name the index, model.safetensors.index.json"
        ));
        for name in
            ["model-00001-of-00001.safetensors", "model.safetensors", "a-of-b.safetensors", "x-1-of-2"]
        {
            assert_eq!(whole(Path::new(name)), Ok(()), "{name}");
        }
    }
}
