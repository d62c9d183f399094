"""What builds the product: pages, notebooks, and the small models that are shipped. Outside the
package."""
