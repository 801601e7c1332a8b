//! Pictures that a StyleGAN has drawn are found again.

use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::Images;
use tachie::data::manifest::{ImagePolicy, Resize};
use tachie::models::stylegan::{Stylegan, StyleganConfig, Styles};
use tachie::nn::progressive::Group;
use tachie::rng::seed;
use tachie::sample::{NoiseMode, ProjectOptions, Projected};
use tachie::show::bundle::Show;

use crate::numbers;
use crate::training::{growth, network};

/// As after a training, what it begins with is no plain area, and its noise is not without effect.
fn model() -> Stylegan {
    let config = StyleganConfig {
        network: network(),
        growth: growth(),
        mapping_layers: 2,
        group: Group::Whole,
        ..Stylegan::tiny()
    };
    let gan = config.build_with(&Device::Cpu, seed(3)).unwrap();
    for (name, var) in gan.params().trainable("g") {
        if name.ends_with("noise_strength") {
            var.set(&var.affine(0.0, 0.05).unwrap()).unwrap();
        }
        if name.ends_with("const") {
            var.set(&seed(6).stream("const").normal_tensor(var.dims(), &Device::Cpu).unwrap()).unwrap();
        }
    }
    gan
}

fn options() -> ProjectOptions {
    ProjectOptions { samples: 500, ..ProjectOptions::default() }.quiet().seed(seed(1))
}

#[test]
fn what_the_network_drew_is_found_again() {
    let gan = model();
    let styles = gan.styles(&gan.latents(&[5, 9]).unwrap(), None).unwrap();
    let targets = gan.draw(&styles, NoiseMode::Random(seed(2))).unwrap();
    let found = gan.project(&targets, options().steps(200).frames(10)).unwrap();
    println!("{found:?}");
    let (first, last) = (found.losses[0], found.distances.iter().sum::<f64>() / 2.0);
    assert!(last < 0.25 * first, "from {first} to {last}");
    assert!(found.losses.len() == 200 && found.frames.len() == 10 && found.eye.contains("tagger"));
    let off = |a: &Images| {
        let difference = (&a.tensor - &targets.tensor).unwrap();
        numbers(&difference.sqr().unwrap().mean_all().unwrap())[0]
    };
    let mean = gan.mean_picture().unwrap().tensor.repeat((2, 1, 1, 1)).unwrap();
    let (before, after) = (off(&Images::new(mean).unwrap()), off(&found.pictures));
    assert!(after < 0.5 * before, "pixels: from {before} to {after}");

    // Noise has mean 0 and deviation 1 in every plane: 4, 4, 8, 8, 16 and 16 px.
    let mut start = 0;
    for side in [4, 4, 8, 8, 16, 16] {
        let plane = found.noise.narrow(1, start, side * side).unwrap();
        for row in plane.to_vec2::<f32>().unwrap() {
            let n = row.len() as f32;
            let mean = row.iter().sum::<f32>() / n;
            let square = row.iter().map(|v| v * v).sum::<f32>() / n;
            assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3, "{side} px: {mean}, {square}");
        }
        start += side * side;
    }

    // The same seed finds the same; what was kept draws the same; styles of it mix with others.
    let [one, two] = [1, 2].map(|_| gan.project(&targets, options().steps(5)).unwrap());
    assert_eq!((numbers(&one.w), numbers(&one.noise)), (numbers(&two.w), numbers(&two.noise)));
    let folder = tempfile::tempdir().unwrap();
    found.save(folder.path()).unwrap();
    for name in ["target0.png", "projected1.png", "distance.svg", "search.gif"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    let kept = Projected::open(folder.path().join("projected.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(numbers(&gan.draw_projected(&kept).unwrap().tensor), numbers(&found.pictures.tensor));
    let own = Styles::of(&kept.w, gan.layers());
    assert_eq!(gan.mixing(&own, &styles, &[0..2, 2..6]).unwrap().len(), 3 * 3);
    assert!(found.bundle().unwrap().parts().len() > 1);
    if let Some(path) = std::env::var_os("TACHIE_LOOK") {
        found.save(std::path::Path::new(&path).join("project")).unwrap();
        found.grid().unwrap().save(std::path::Path::new(&path).join("project.png")).unwrap();
        found.plot().unwrap().save(std::path::Path::new(&path).join("project-plot.png")).unwrap();
    }
}

#[test]
fn what_cannot_be_projected_is_refused_and_files_are_brought_to_size() {
    let gan = model();
    let faces = Avatar::faces().size(32).take(1).unwrap().images(1).unwrap();
    let message = gan.project(&faces, options()).unwrap_err().to_string();
    assert!(message.contains("32×32") && message.contains("16×16") && message.contains("tachie project"), "{message}");
    let none = Images { tensor: Tensor::zeros((0, 3, 16, 16), DType::F32, &Device::Cpu).unwrap(), captions: vec![] };
    assert!(gan.project(&none, options()).is_err());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.png");
    tachie::image::RgbImage::from_pixel(40, 20, tachie::image::Rgb([255, 0, 0])).save(&path).unwrap();
    let policy = ImagePolicy { resize: Resize::Pad, ..ImagePolicy::new(16) };
    let picture = Images::open(&path, &policy).unwrap();
    let rows = picture.to_rgb().unwrap().remove(0);
    assert_eq!((rows.get_pixel(8, 0).0, rows.get_pixel(8, 8).0), ([255; 3], [255, 0, 0]));
    let message = Images::open(folder.path().join("no.png"), &policy).unwrap_err().to_string();
    assert!(message.contains("no.png"), "{message}");
    std::fs::write(&path, b"no picture").unwrap();
    assert!(Images::open(&path, &policy).unwrap_err().to_string().contains("not a picture"));

    let film = gan.project(&gan.of_seeds(&[1], None).unwrap(), options().steps(2)).unwrap().animation().unwrap_err();
    assert!(film.to_string().contains("frames(100)"), "{film}");
    let weights = folder.path().join("model.safetensors");
    gan.save(&weights).unwrap();
    let message = Projected::open(&weights, &Device::Cpu).unwrap_err().to_string();
    assert!(message.contains("styles of a projection"), "{message}");
}
