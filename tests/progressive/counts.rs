//! Parameter counts.

use tachie::candle_core::{DType, Device};
use tachie::models::stylegan::{Generator as StyleGenerator, Stylegan};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::{Discriminator, DiscriminatorSpec, Generator, GrowingShape};
use tachie::train::plan::growth::Gpus;

/// specs/fullbody.md A.5 and B.3: generator and discriminator from 4 to 1024 px without poses, with 18 and 20 key points.
const COUNTS: [(usize, [[usize; 2]; 3]); 9] = [
    (4, [[6_556_163, 6_561_793], [6_639_107, 6_644_737], [6_648_323, 6_653_953]]),
    (8, [[11_277_318, 11_283_457], [11_443_206, 11_449_345], [11_461_638, 11_467_777]]),
    (16, [[15_998_473, 16_005_121], [16_247_305, 16_253_953], [16_274_953, 16_281_601]]),
    (32, [[20_719_628, 20_726_785], [21_051_404, 21_058_561], [21_088_268, 21_095_425]]),
    (64, [[22_490_383, 22_498_049], [22_863_631, 22_871_297], [22_905_103, 22_912_769]]),
    (128, [[22_933_394, 22_941_313], [23_327_378, 23_335_297], [23_371_154, 23_379_073]]),
    (256, [[23_044_309, 23_052_353], [23_448_661, 23_456_705], [23_493_589, 23_501_633]]),
    (512, [[23_072_120, 23_080_225], [23_481_656, 23_489_761], [23_527_160, 23_535_265]]),
    (1024, [[23_079_115, 23_087_249], [23_491_243, 23_499_377], [23_537_035, 23_545_169]]),
];

#[test]
fn parameter_counts_at_every_resolution() {
    for (resolution, expected) in COUNTS {
        for (keypoints, expected) in [0, 18, 20].into_iter().zip(expected) {
            let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
            let (scope, shape) = (params.view(Training::All), GrowingShape::paper(resolution));
            Generator::new(&shape, keypoints, &scope.pp("g")).unwrap();
            let spec = DiscriminatorSpec { keypoints, ..DiscriminatorSpec::default() };
            Discriminator::new(&shape, spec, &scope.pp("d")).unwrap();
            let found = ["g", "d"].map(|player| params.count(player));
            println!("{resolution:>5} px, {keypoints:>2} key points: {found:?}");
            assert_eq!(found, expected, "{resolution} px, {keypoints} key points");
        }
    }
}

/// specs/fullbody.md D.2: StyleGAN's generator with all heads, its noise, its discriminator.
const STYLEGAN: [(usize, [usize; 3]); 8] = [
    (8, [11_295_750, 160, 11_283_457]),
    (16, [17_068_553, 672, 16_005_121]),
    (32, [22_841_356, 2_720, 20_726_785]),
    (64, [25_137_935, 10_912, 22_498_049]),
    (128, [25_843_858, 43_680, 22_941_313]),
    (256, [26_086_229, 174_752, 23_052_353]),
    (512, [26_179_768, 699_040, 23_080_225]),
    (1024, [26_219_627, 2_796_192, 23_087_249]),
];

#[test]
fn parameter_counts_of_stylegan() {
    for (resolution, expected) in STYLEGAN {
        let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
        let (scope, config) = (params.view(Training::All), Stylegan::authors(Gpus::One, resolution));
        StyleGenerator::new(&config, &scope.pp("g")).unwrap();
        let spec = DiscriminatorSpec { blur: true, ..DiscriminatorSpec::default() };
        Discriminator::new(&config.network, spec, &scope.pp("d")).unwrap();
        let noise = params.tensors().into_iter().filter(|(name, _)| name.ends_with(".noise"));
        let found = [params.count("g"), noise.map(|(_, tensor)| tensor.elem_count()).sum(), params.count("d")];
        println!("{resolution:>5} px: {found:?}");
        assert_eq!(found, expected, "{resolution} px");
        assert_eq!(params.count("g.mapping"), 2_101_248);
    }
}
