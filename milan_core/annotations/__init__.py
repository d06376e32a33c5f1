"""MILANNOTATIONS and sets like it: read, merge with images, export, clean, collect.

`step` annotates mined networks by program. `released` opens a published folder or zip, `groups`
lists the published sets, `merge` adds the images that may not be published, `export` writes the
same format from our exemplars. `crowd` makes tasks for crowd workers and cleans their answers.
Nothing here needs torch.
"""
