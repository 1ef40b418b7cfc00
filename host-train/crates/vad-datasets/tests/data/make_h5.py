"""Writes features.h5: what h5py makes of one data set per video, in the kinds of storage that are in use.

Run with h5py 3; the values of every data set are those of `value` in the test that reads it.
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
