"""Next basket: which items does this user put into the next basket?"""
