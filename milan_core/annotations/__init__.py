"""MILANNOTATIONS and sets like it: read, merge with images, export, clean, collect.

`released` opens a published folder or zip, `groups` knows the published sets, `merge` adds the
images that may not be published, `export` writes the same format from our exemplars, `cleaning`
turns raw crowd answers into annotations, `crowd` and `qualification` make what workers are shown.
Nothing here needs torch, and no stage of the workflow depends on it.
"""
