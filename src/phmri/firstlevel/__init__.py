"""firstlevel"""
