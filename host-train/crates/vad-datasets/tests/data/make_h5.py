"""Writes what h5py makes of one data set per video: features.h5 in the kinds of storage that are in use, and
clips_crops.h5 and crops_clips.h5 with ten crops in either order.

Run with h5py 3; the values of every data set are those of `values` in the test that reads it, or with crops those of `grid`.
"""

import h5py
import numpy as np

CLIPS, WIDTH = 5, 4
VALUES = (np.arange(CLIPS * WIDTH) / 8 - 1).reshape(CLIPS, WIDTH)
CHUNKS = (2, 3)

with h5py.File("features.h5", "w") as file:
    file.create_dataset("01_0014.npy", data=VALUES.astype("f4"))
    file.create_dataset("01_0016", data=VALUES.astype("f2"))
    file.create_dataset("01_002.npy", data=VALUES.astype(">f8"))
    file.create_dataset("01_0026.npy", data=VALUES.astype("f4"), chunks=CHUNKS)
    file.create_dataset("01_003.npy", data=VALUES.astype("f4"), chunks=CHUNKS, compression="gzip")
    file.create_dataset(
        "nested/01_005.npy", data=VALUES.astype("f2"), chunks=CHUNKS, compression="gzip", shuffle=True
    )
    file.create_dataset("01_007.npy", data=VALUES.astype("f4"), maxshape=(None, WIDTH))
    # What MIST's make_h5.py writes are pictures.
    file.create_dataset("01_009-000000", data=[b"\xff\xd8\xff", b"\xff\xd8\xfe"])
    file.create_dataset("01_011.npy", data=VALUES.astype("f4"), chunks=CHUNKS, compression="lzf")

# No number of clips that is also one of crops: it would leave open which axis is which.
TEN_CROPS = {"01_0014.npy": 7, "01_002.npy": 3, "01_005.npy": 12}


def grid(clips):
    clip, crop, column = np.ogrid[:clips, :10, :WIDTH]
    return (100 * clip + 10 * crop + column).astype("f4")


with h5py.File("clips_crops.h5", "w") as file:
    for name, clips in TEN_CROPS.items():
        file.create_dataset(name, data=grid(clips))

with h5py.File("crops_clips.h5", "w") as file:
    for name, clips in TEN_CROPS.items():
        crops_first = grid(clips).swapaxes(0, 1)
        file.create_dataset(name, data=crops_first, chunks=(4, *CHUNKS), compression="gzip")
