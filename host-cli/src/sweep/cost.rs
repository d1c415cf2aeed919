//! The cost of a recipe's network on a microcontroller, as a file of i8 weights. It is known before training, so that a
//! sweep can leave out what would not fit.

use std::str::FromStr;

use selvedge::format::Dtype;

use crate::data::Dataset;
use crate::data::normalise::Normalisation;
use crate::error::{Error, Result};
use crate::estimate::{Bytes, Core, Requirements, core, target};
use crate::model::About;
use crate::recipe::{Recipe, Standardisation};

/// The core that costs are computed for where none is named.
pub const TARGET: &str = "m4";

/// The cost of a recipe's network on a core.
///
/// # Errors
/// `Data` where the images make no network, `Model` where its file would be too large for the format.
pub fn cost(recipe: &Recipe, dataset: &Dataset, core: &Core) -> Result<Requirements> {
    let images = dataset.train.images()?;
    let shape = recipe.shape(images.pixels_per_image(), dataset.classes.len())?;
    let about = About {
        classes: dataset.classes.clone(),
        image: Some((images.rows, images.cols)),
        normalisation: Normalisation::new(recipe.gamma, Standardisation::None, &[], 0, &[]),
        ..About::default()
    };
    let header = about.header(shape, Dtype::I8, core.packing);
    let header = header.map_err(|e| Error::model(format!("{shape}: {e}")))?;
    Ok(Requirements::new(&header.header(), core))
}

/// The limits of a device: `flash=128K,ram=8K,target=m4`, each optional.
#[derive(Debug, Clone, Copy)]
pub struct DeviceBudget {
    /// Bytes of flash, if limited.
    pub flash: Option<Bytes>,
    /// Bytes of RAM, if limited.
    pub ram: Option<Bytes>,
    /// The core.
    pub core: &'static Core,
}

impl FromStr for DeviceBudget {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut limits = Self { flash: None, ram: None, core: core(TARGET).expect("a known core") };
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("flash", bytes)) => limits.flash = Some(bytes.parse()?),
                Some(("ram", bytes)) => limits.ram = Some(bytes.parse()?),
                Some(("target", name)) => limits.core = target(name).map_err(|e| e.message)?,
                _ => return Err("write limits, such as flash=128K,ram=8K,target=m4".into()),
            }
        }
        if limits.flash.is_none() && limits.ram.is_none() {
            return Err("it limits neither flash nor RAM; write flash=128K, say".into());
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceBudget;

    #[test]
    fn limits_as_people_write_them() {
        let limits: DeviceBudget = "flash=128K,target=cortex-m0".parse().unwrap();
        assert_eq!((limits.flash.unwrap().0, limits.ram.is_none(), limits.core.name), (131_072, true, "m0"));
        assert_eq!("ram=8K".parse::<DeviceBudget>().unwrap().core.name, "m4");
        for (text, why) in [
            ("", "write limits"),
            ("flash", "write limits"),
            ("flash=many", "write bytes"),
            ("rom=1K", "write limits"),
            ("target=m4", "neither flash nor RAM"),
            ("flash=1K,target=z80", "the targets are m0"),
        ] {
            assert!(text.parse::<DeviceBudget>().unwrap_err().contains(why), "{text}");
        }
    }
}
