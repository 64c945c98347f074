"""The checks of the exercises, one module a chapter: ``ch03`` holds the exercises 03.1, 03.2, …"""
