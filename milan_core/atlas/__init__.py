"""The atlas: a browser of units that is one folder and opens from disk.

    milan atlas build results -o atlas      # then open atlas/index.html

`found` or a plan says which files a network has (`files`), `units` and `said` join its tables, and
`build` writes them as columns in small scripts (`chunks`) that the page loads when it needs them,
because a page from disk may load scripts and pictures and nothing else. Distinct images are
stored once (`pictures`), masks as bits (`masks`). `app` holds the page: plain scripts and a style
sheet, joined and copied as they are.
"""
